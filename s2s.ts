#!/usr/bin/env node
/**
 * s2s: gets a one-hour access token for the Zoom API, using a Server-to-Server OAuth app.
 *
 * main() is the whole program; the functions below follow in the order in which it needs them. Expected errors are
 * thrown as a Failure and reported by the last lines of the file. The result goes to stdout, everything else to stderr.
 */

import { once } from 'node:events';
import * as fs from 'node:fs';
// Import only types: node:http itself would load undici, which takes 30 ms.
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { delimiter, dirname, join, resolve } from 'node:path';
import { PassThrough, addAbortSignal } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorMap, isDeepStrictEqual, parseArgs, stripVTControlCharacters } from 'node:util';
import { parse } from 'dotenv';

const USAGE = `Get a one-hour Zoom API access token, using a Server-to-Server OAuth app.

  npx tsx s2s.ts           copy the token, and print it with its scopes
  npx tsx s2s.ts --token   print only the token
  npx tsx s2s.ts --json    print Zoom's response as JSON, plus expires_at

  -h, --help               show this help
  -v, --version            show the version

Example, for an app with the scope user:read:list_users:admin:
  curl -H "Authorization: Bearer $(npx tsx s2s.ts --token)" \\
    https://api.zoom.us/v2/users

Settings, from the environment or from .env, where s2s saves what you type:
  ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET
  ZOOM_HOST                zoom.us (default), or zoomgov.com for Zoom for
                           Government, whose API is at api.zoomgov.com

Other environment variables:
  DOTENV_PATH              a file to use instead of .env
  NODE_ENV                 if "production", nothing is saved
  HTTPS_PROXY, NO_PROXY    the proxy to use (Node 22.21+ or 24.5+)
  NODE_USE_SYSTEM_CA       if 1, trust the system's CAs (Node 22.19+ or 24.6+)
  NODE_EXTRA_CA_CERTS      a PEM file with more CA certificates to trust

Exit status: 0 success; 1 Zoom or network error; 2 bad or missing flag or
setting; 130 cancelled
`;

/** @param interruption rejects when a signal arrives */
async function main(interruption: Promise<never>): Promise<void> {
  const flags = readFlags();
  if (flags.help || flags.version) return print(flags.help ? USAGE : `${readVersion()}\n`);
  if (flags.token && flags.json) throw new Failure(2, '--token and --json cannot be used together.', 'Use one.');

  const settings = readSettings();
  const server = findServer(settings);
  const copies = !flags.token && !flags.json && !whyNoClipboard();
  // Load clipboardy, which takes 150 ms, while waiting for Zoom's response.
  const onSent = () => void (copies && import('clipboardy').catch(() => {}));

  let credentials = await promptForMissing(settings, server);
  const tryCredentials = () =>
    Promise.race([requestToken(server, credentials, onSent), interruption]).catch((error: unknown) => {
      save(credentials, settings); // Keep what was typed: Zoom has not rejected it.
      throw error;
    });
  let outcome = await tryCredentials();
  while (outcome.kind === 'rejection') {
    credentials = await promptForSuspects(outcome, settings, credentials);
    outcome = await tryCredentials();
  }
  save(credentials, settings);

  if (flags.token) await print(`${outcome.token}\n`);
  else if (flags.json) await print(toJson(outcome));
  else await present(outcome, server);
}

/** An expected error: reported without a stack trace. */
class Failure extends Error {
  /** 1: Zoom or network error; 2: bad or missing flag or setting; 130: cancelled; 143: terminated. */
  readonly exitCode: 1 | 2 | 130 | 143;

  /** @param lines what went wrong, then what to do about it */
  constructor(exitCode: Failure['exitCode'], ...lines: string[]) {
    super(lines.join('\n'));
    this.exitCode = exitCode;
  }
}

const NAMES = ['ZOOM_ACCOUNT_ID', 'ZOOM_CLIENT_ID', 'ZOOM_CLIENT_SECRET'] as const;
type Name = (typeof NAMES)[number];
type Credentials = Record<Name, string>;

/**
 * What the environment and the dotenv file set.
 * @property credentials empty strings where not set
 * @property fromEnvironment the names of the settings that the environment sets
 * @property file the dotenv file
 */
type Settings = { credentials: Credentials; host: string; fromEnvironment: readonly string[]; file: string };

/**
 * Where to request the token, and how to get there.
 * @property marketplace where its apps are managed
 * @property agent connects through the proxy
 * @property hint what to check if connecting fails
 */
type Server = { endpoint: URL; marketplace: string; proxy?: URL; agent?: https.Agent; hint: string };

/** How a request ends, unless it throws a Failure. */
type Outcome = TokenResponse | Rejection | TransientError;
type TokenResponse = { kind: 'token'; token: string; scopes: string[]; expires: Date | undefined; json: object };
/** Zoom does not accept the credentials. */
type Rejection = { kind: 'rejection'; suspects: readonly Name[]; lines: string[] };
/** Another attempt may succeed, after `wait` seconds if the server said so. */
type TransientError = { kind: 'transient'; problem: string; details: string[]; wait?: number | undefined };

function readFlags() {
  const flag = { type: 'boolean' } as const;
  const options = { token: flag, json: flag, help: { ...flag, short: 'h' }, version: { ...flag, short: 'v' } };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Don't echo a stray argument: it may be a secret pasted in the wrong place.
    const problem = code?.endsWith('POSITIONAL') ? 'Unexpected argument' : clean(message.split('. ')[0] ?? '');
    throw new Failure(2, `${problem}. For help, use --help.`);
  }
}

const readVersion = () => JSON.parse(fs.readFileSync(new URL('package.json', import.meta.url), 'utf8')).version;

/** Reads the settings. Environment variables take precedence over the dotenv file. */
function readSettings(): Settings {
  const { env, versions } = process;
  const file = env['DOTENV_PATH'] || '.env'; // The name that dotenv itself uses.
  const saved = readDotenv(file);
  // Don't count what Bun itself has loaded from .env into the environment.
  const isSet = (name: string) => readValue(env[name], name) && !(versions['bun'] && env[name] === saved[name]);
  const fromEnvironment = [...NAMES, 'ZOOM_HOST'].filter(isSet);
  const read = (name: string) => readValue((isSet(name) ? env : saved)[name], name);
  const credentials = Object.fromEntries(NAMES.map((name) => [name, read(name)])) as Credentials;
  for (const name of NAMES) {
    const [problem, remedy = ''] = findProblem(credentials[name], name, isSet(name) ? '' : file) ?? [];
    if (problem) throw new Failure(2, `${name} in ${isSet(name) ? 'the environment' : file} ${problem}.`, remedy);
  }
  return { credentials, host: read('ZOOM_HOST') || 'zoom.us', fromEnvironment, file };
}

/** Reads a dotenv file. Reports one that cannot be read; one that does not exist has no settings. */
function readDotenv(file: string): Record<string, string> {
  let bytes = Buffer.alloc(0);
  try {
    bytes = fs.readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') say(`Cannot read ${file}: ${reason(error)}.`);
  }
  // Recognize UTF-16 by its byte order mark, or by a NUL among the first two bytes, in hex.
  if (/^(fffe|feff|00|..00)/.test(bytes.toString('hex', 0, 2)))
    throw new Failure(2, `${file} is UTF-16, which dotenv cannot read.`, 'Save it as UTF-8.');
  return parse(bytes);
}

/**
 * Reads a value as it was meant, whether it was typed, pasted, or set in the dotenv file or the environment. Drops what
 * surrounds it: white space, invisible characters, quotes, a comma or semicolon, and a label with its own name.
 * @returns the value, or an empty string if the text is nothing but a label or a placeholder
 */
function readValue(text = '', name: string): string {
  const inside = text
    .replace(/^[\s\p{C}\p{DI}\u2800]+|[\s\p{C}\p{DI}\u2800,;]+$/gu, '') // \u2800 is a blank Braille pattern.
    .replace(labelOf(name), '')
    .replace(/^(?:(?:(?:export|set)\s+)?(["'`])(.*)\1|[“”„«»‘’‚‹›](.*)[“”„«»‘’‚‹›])$/su, '$2$3');
  if (inside !== text) return readValue(inside, name); // Quotes may surround a label, and follow one.
  return PLACEHOLDER.test(text) ? '' : text;
}

/** Returns a pattern for what labels a value, such as `export ZOOM_CLIENT_ID=`, `"client_id": `, or `Client ID: `. */
function labelOf(name: string): RegExp {
  // Match ZOOM_HOST in full only: "localhost:3000" has no label.
  const words = name === 'ZOOM_HOST' ? name : name.replace('ZOOM_', '').replace('_', String.raw`[\s_-]?`);
  const lead = String.raw`(?!\$\{)(?:\$env:)?[^=:"'\`“‘„«‹]{0,40}?`;
  return new RegExp(String.raw`^${lead}(["'\`]?)${lead}${words}(\1|["'\`](?=\s*[=:]))(\s*[=:：>*]+\s*|\s+|$)`, 'i');
}

/** The words that samples have in place of a value, as in "your_client_id_here". */
const SAMPLE_WORDS =
  'account|actual|add|api|app|change|client|copy|credentials?|enter|example|goes|here|id|insert|key|me|my|new|none|' +
  'null|oauth|paste|placeholder|put|replace|s2s|secret|server|set|tbd|the|this|to|todo|undefined|value|x|your|zoom';
/** Matches what is not a value, such as "your_client_id_here", "<CLIENT_ID>", "xxxx", or a comment ("# …"). */
const PLACEHOLDER = new RegExp(String.raw`^([^\p{L}\p{N}$]|${SAMPLE_WORDS})*$|^[<[].*[>\]]$|^(.)\2{3,}$|^# `, 'isu');

/**
 * Finds out why a value cannot be right.
 * @param file the dotenv file that it comes from, or an empty string
 * @returns the problem, as the predicate of a sentence, and the remedy
 */
function findProblem(value: string, name: Name, file = ''): [problem: string, remedy: string] | undefined {
  const label = NAMES.find((other) => other !== name && labelOf(other).test(value));
  if (label) return [`is labeled ${label}`, `Set it to the value of ${name}.`];
  const references: [pattern: RegExp, form: string, remedy: string][] = [
    [/^op:\/\//i, 'op://…', `Run this command through op run${file && ` --env-file=${file}`}.`],
    [/^encrypted:/, 'encrypted:…', 'Run this command through dotenvx run.'],
    [/^\$(\{.*\}|\(.*\)|[A-Z_][A-Z\d_]*)$/s, '$…', 'Set it to the value itself.'],
    [/^(\{\{|ENC\[|%\w+%$|(vault|\$env):|\w[\w+.-]*:\/\/)/i, 'to a secret store', 'Resolve it before you run this.'],
  ];
  const [, form, remedy = ''] = references.find(([pattern]) => pattern.test(value)) ?? [];
  if (form) return [`is an unresolved reference (${form})`, remedy];
  const invisible = /[\p{C}\p{DI}]/u.exec(value)?.[0].codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0');
  return invisible ? [`contains an invisible character (U+${invisible})`, 'Enter the value again.'] : undefined;
}

/**
 * Returns where to request the token. Only Zoom, Zoom for Government and, for the tests and the demo, this machine are
 * allowed, so that the credentials cannot end up anywhere else. ZOOM_HOST may be a URL, as in Zoom's own samples.
 */
function findServer({ host, fromEnvironment, file }: Settings): Server {
  const text = host.includes('://') ? host : `https://${host}`;
  const { protocol = '', hostname = '' } = URL.canParse(text) ? new URL(text) : {};
  const isZoom = protocol === 'https:' && /(^|\.)(zoom\.us|zoomgov\.com)$/.test(hostname);
  const isLocal = /^https?:$/.test(protocol) && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  const setting = fromEnvironment.includes('ZOOM_HOST') ? 'ZOOM_HOST' : `ZOOM_HOST in ${file}`;
  const problem = `${setting} is "${clean(host)}", which is not a Zoom host.`;
  if (!isZoom && !isLocal) throw new Failure(2, problem, 'Set it to zoom.us or zoomgov.com, or unset it.');
  const endpoint = new URL('/oauth/token', text);
  const domain = hostname.endsWith('zoomgov.com') ? 'zoomgov.com' : 'zoom.us';
  return { endpoint, marketplace: `https://marketplace.${domain}/`, ...findRoute(endpoint) };
}

/** Returns how to connect: directly, or through the proxy in the environment if this version of Node supports it. */
function findRoute({ protocol }: URL): Pick<Server, 'agent' | 'proxy' | 'hint'> {
  const variable = ['https_proxy', 'HTTPS_PROXY'].find((name) => process.env[name]?.trim());
  if (!variable || protocol === 'http:') return { hint: 'Check your network connection, VPN, and firewall.' };
  const value = process.env[variable]!.trim();
  // Turn spaces into commas, the only separator that Node knows.
  const NO_PROXY = (process.env['no_proxy'] || process.env['NO_PROXY'] || '').trim().replace(/[\s,]+/g, ',');
  try {
    const proxy = new URL(value.includes('://') ? value : `http://${value}`);
    // Go to the catch below if a "/", "?", or "#" in the password has ended the host name early.
    if (!/^https?:\/\/[^/?#]+\/$/.test(proxy.href)) throw new Error('not a proxy');
    const agent = new https.Agent({ proxyEnv: { HTTPS_PROXY: proxy.href, NO_PROXY } });
    const hint = `Check ${variable}, NO_PROXY, VPN, and firewall.`;
    if (process.allowedNodeEnvironmentFlags.has('--use-env-proxy')) return { agent, proxy, hint };
    return { hint: `${variable} needs Node 22.21+ or 24.5+; this is ${process.version}.` };
  } catch {
    // Don't report the error itself: it may hold the password.
    const remedy = 'Set it to http://user:password@host:port, with the password percent-encoded.';
    throw new Failure(2, `${variable} is not an HTTP proxy URL.`, remedy);
  }
}

/** Returns the credentials, prompting for those that are missing. */
async function promptForMissing({ credentials, file }: Settings, { marketplace }: Server): Promise<Credentials> {
  const missing = NAMES.filter((name) => !credentials[name]);
  if (!missing.length) return credentials;
  const path = `${resolve(file)}${fs.existsSync(file) ? '' : ', which does not exist'}`;
  const problem = `Missing credentials: ${list(missing)}.\nLooked in the environment and in ${path}.`;
  const whyNot = whyNoPrompt();
  if (whyNot) throw new Failure(2, problem, `Set them in one of these. Cannot prompt, because ${whyNot}.`);
  const lines = [
    problem,
    `Find your credentials at ${marketplace} under`,
    'Developer (or Manage) > Created apps > your app > App Credentials.',
    'No app yet? Choose Develop > Build App > Server-to-Server OAuth App.',
  ];
  if (missing.length > 1) lines.push('You can paste all of them at once, in this order, one per line.');
  return promptFor(missing, credentials, lines);
}

/** Returns the credentials after a rejection, prompting for those that may be wrong. */
async function promptForSuspects({ suspects, lines }: Rejection, settings: Settings, current: Credentials) {
  const overridden = suspects.filter((name) => settings.fromEnvironment.includes(name));
  const advice = `Correct or unset the wrong value there; s2s can change only ${settings.file}.`;
  if (overridden.length) lines.push(`The environment sets ${list(overridden)}.`, advice);
  const names = suspects.filter((name) => !overridden.includes(name));
  if (!names.length || whyNoPrompt()) throw new Failure(1, ...lines);
  const credentials = await promptFor(names, current, [...lines, 'Press Enter to keep the current value.']);
  if (!isDeepStrictEqual(credentials, current)) return credentials;
  throw new Failure(1, 'No value was changed, so Zoom would reject them again.', 'Run this again to change one.');
}

/** Returns why the user cannot be prompted, or undefined. */
function whyNoPrompt(): string | undefined {
  if (!process.stdin.isTTY) return 'stdin is not a terminal';
  if (!process.stderr.isTTY) return 'stderr is not a terminal';
  return process.env['TERM'] === 'dumb' ? 'TERM is "dumb"' : undefined;
}

/**
 * Prompts for credentials, offering the current values as defaults.
 * @param lines what to tell the user first
 * @returns all three credentials
 */
async function promptFor(names: readonly Name[], current: Credentials, lines: string[]): Promise<Credentials> {
  process.stdin.setRawMode(true); // Before anything else, so that a secret pasted early is not echoed.
  lines.forEach(say);
  if (process.env['NO_COLOR']) process.env['NODE_DISABLE_COLORS'] = '1'; // The name that prompts looks for.
  const [{ default: prompts }, readline] = await Promise.all([import('prompts'), import('node:readline')]);
  const { close, ...streams } = queueLines(readline);
  const questions = names.map((name) => {
    const type = name === 'ZOOM_CLIENT_SECRET' ? ('password' as const) : ('text' as const);
    const format = (text: string) => readValue(text, name);
    const validate = (text: string) => {
      const [problem] = findProblem(format(text), name) ?? [];
      return problem ? `This ${problem}. Press Ctrl-U to start over.` : format(text) !== '' || 'Enter a value.';
    };
    return { name, message: name, type, initial: current[name], format, validate, ...streams };
  });
  const onCancel = () => Promise.reject(new Failure(130, 'Cancelled.'));
  return { ...current, ...(await prompts(questions, { onCancel }).finally(close)) };
}

/**
 * The private fields of a text prompt that queueLines() reads: its message, its value, and whether it refused that. It
 * also sets `error`, whether the reason is shown, and `cursorOffset`, where the cursor is, counted from the end of the
 * value. package.json pins the version of prompts that has them.
 */
type TextPrompt = { firstRender: boolean; msg: string; value: string; red: boolean; render(): void };

/**
 * Reads lines from the terminal and hands them to prompts one at a time, so that several lines pasted at once answer
 * several prompts. Node's readline edits them: prompts itself takes control keys for text, does not know Home and End,
 * and cuts characters outside the Basic Multilingual Plane in two.
 * @returns options for every prompt, and close(), which releases the terminal
 */
function queueLines({ createInterface, emitKeypressEvents }: typeof import('node:readline')) {
  // No data passes through these streams: prompts only listens for the 'keypress' events of its stdin.
  const [stdin, input, output] = [new PassThrough(), new PassThrough(), new PassThrough().resume()];
  const editor = createInterface({ input, output, terminal: true, historySize: 0 });
  const queue: string[] = [];
  let prompt: TextPrompt | undefined; // The one that waits for a line.
  let isCancelled = false;

  /** Passes the next line to the prompt, or else shows the line that is being typed. */
  const update = () => {
    if (!prompt) return;
    const key = isCancelled ? 'escape' : queue.length ? 'return' : '';
    const cursorOffset = editor.cursor - editor.line.length;
    Object.assign(prompt, { value: queue.shift() ?? editor.line, cursorOffset, red: false, error: false });
    if (!key) return prompt.render();
    prompt = undefined;
    stdin.emit('keypress', undefined, { name: key });
  };
  /** Runs before each render of a prompt, but acts only when it is new, or when it refused a line. */
  function onRender(this: TextPrompt) {
    if (!this.firstRender && !this.red) return;
    prompt = this;
    while (queue[0]?.trim() === '') queue.shift(); // Skip the blank lines of a paste.
    if (this.red && readValue(this.value, this.msg)) {
      queue.length = 0; // The rest of a paste was meant for later prompts.
      ['e', 'u'].forEach((name) => editor.write(null, { ctrl: true, name })); // Ctrl-E and Ctrl-U clear the line.
      editor.write(this.value);
    }
    if (isCancelled || queue.length || (editor.line && editor.line !== this.value)) setImmediate(update);
  }
  const onKey = (text = '', { ctrl = false, name = '', ...key }: import('node:readline').Key) => {
    isCancelled ||= name === 'escape' || (ctrl && /^[cd]$/.test(name));
    // Take a Tab for a space after a label, as in a row copied from a table. Ignore any other control character.
    const isSpace = name === 'tab' && /(account|client)[\s_-]?(id|secret)\W*$/i.test(editor.line);
    if (ctrl && name === 'u') editor.write(null, { ctrl, name: 'e' }); // Ctrl-U clears the whole line.
    if (!isCancelled) editor.write(isSpace ? ' ' : text.replace(/[\p{Cc}\u2028\u2029]/gu, ''), { ctrl, name, ...key });
    update();
  };
  const onEnd = () => onKey('', { name: 'escape' });
  /** Takes the terminal back after `fg`. Node sets a mode only if it differs from the last one that it set. */
  const onContinue = () => process.stdin.setRawMode(false).setRawMode(true) && prompt?.render();

  editor.on('line', (line) => queue.push(line)).on('SIGTSTP', () => {}); // Ignore Ctrl-Z.
  emitKeypressEvents(process.stdin.resume());
  process.on('SIGCONT', onContinue);
  process.stdin.on('keypress', onKey).on('end', onEnd).on('error', onEnd);
  const close = () => {
    process.off('SIGCONT', onContinue);
    process.stdin.off('keypress', onKey).off('end', onEnd).off('error', onEnd).setRawMode(false).pause();
  };
  return { stdin, stdout: process.stderr, onRender, close };
}

/** Saves the credentials that were typed in the dotenv file, and reports which, or why not. */
function save(credentials: Credentials, { credentials: old, file }: Settings): void {
  const typed = NAMES.filter((name) => credentials[name] !== old[name]);
  if (!typed.length) return;
  if (process.env['NODE_ENV']?.trim().toLowerCase() === 'production')
    return say(`Not saved, because NODE_ENV is production. Set these in the environment:\n${list(typed)}.`);
  try {
    const stats = fs.statSync(file, { throwIfNoEntry: false });
    if (stats && !stats.isFile()) throw new Error('not a regular file');
    let target = file;
    while (fs.lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink())
      target = resolve(fs.realpathSync(dirname(target)), fs.readlinkSync(target));
    let text = stats ? fs.readFileSync(target, 'latin1') : '';
    for (const name of typed) text = setValue(text, name, credentials[name]);
    const saved = typed.filter((name) => parse(Buffer.from(text, 'latin1'))[name] === credentials[name]);
    const unsaved = typed.filter((name) => !saved.includes(name));
    if (unsaved.length) say(`Cannot save ${list(unsaved)} in ${file}: no dotenv syntax can represent the value.`);
    if (!saved.length) return;
    replaceFile(target, text, stats);
    say(`Saved ${list(saved)} in ${file}.`);
    if (stats && stats.mode & 0o044 && process.platform !== 'win32')
      say(`Other users can read it. To prevent that, run: chmod 600 ${quoteForShell(file)}`);
  } catch (error) {
    say(`Cannot save ${list(typed)} in ${file}: ${reason(error)}.`);
  }
}

/**
 * Sets one value in the text of a dotenv file, leaving every other byte unchanged. Tries each place and each quoting
 * style until dotenv parses the result as intended: this value, and every other setting as before.
 * @param text the file decoded as latin1, one character per byte, so that invalid UTF-8 survives
 * @returns the new text, or the old text if dotenv cannot represent the value
 */
function setValue(text: string, name: Name, value: string): string {
  const before = String.raw`^(?:\xef\xbb\xbf)?[ \t]*(?:export[ \t]+)?${name}[ \t]*[=:][ \t]*?`;
  const quotedBareOrEmpty = String.raw`(['"\`])[^]*?\1|[^\s#][^#\r\n]*?|`;
  const oldValue = new RegExp(String.raw`(?<=${before})(?:${quotedBareOrEmpty})(?=[ \t]*(?:#.*)?$)`, 'gm');
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const appended = `${text}${/[^\r\n]$/.test(text) ? newline : ''}${name}=${newline}`;
  // dotenv does not end a value at a quote that follows a backslash, so such a value is better left bare.
  const quotes = /^[\w.-]+$|\\$/.test(value) ? ['', "'", '"', '`'] : ["'", '"', '`', ''];
  const wanted = { ...parse(Buffer.from(text, 'latin1')), [name]: value };
  const bytes = Buffer.from(value).toString('latin1');

  for (const base of [text, appended])
    for (const { 0: match, index } of base.matchAll(oldValue))
      for (const quote of quotes) {
        const edited = base.slice(0, index) + quote + bytes + quote + base.slice(index + match.length);
        if (isDeepStrictEqual(parse(Buffer.from(edited, 'latin1')), wanted)) return edited;
      }
  return text;
}

/**
 * Replaces a file atomically, keeping its mode and owner. Overwrites it in place if it cannot be replaced, because it
 * is a mount point, is open in another program, or belongs to someone else, as may its folder. Is synchronous, so that
 * no signal interrupts it.
 */
function replaceFile(path: string, text: string, old: fs.Stats | undefined): void {
  const temporary = `${path}.${crypto.randomUUID()}`;
  const options = { encoding: 'latin1', flush: true } as const;
  try {
    fs.writeFileSync(temporary, text, { ...options, mode: 0o600, flag: 'wx' });
    if (old) fs.chownSync(temporary, old.uid, old.gid);
    if (old) fs.chmodSync(temporary, old.mode);
    fs.renameSync(temporary, path);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    if (!old || !/^E(ACCES|BUSY|INVAL|PERM|ROFS)$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    fs.writeFileSync(path, text, { ...options, flag: 'r+' });
    fs.truncateSync(path, text.length);
  }
}

/**
 * Requests a token, up to three times. Waits 1 and 2 seconds between attempts, or as long as Retry-After says, but at
 * most 30 seconds.
 * @param onSent called when a request is on its way
 * @returns a token response or a rejection
 * @throws a Failure for anything else
 */
async function requestToken(server: Server, credentials: Credentials, onSent: () => void) {
  for (let attempt = 1; ; attempt++) {
    const notice = setTimeout(() => process.stderr.isTTY && say(`Waiting for ${server.endpoint.host} …`), 3_000);
    const outcome = await post(server, credentials, onSent).catch((error) => readError(error, server));
    clearTimeout(notice);
    if (outcome.kind !== 'transient') return outcome;
    const { problem, details, wait = attempt } = outcome;
    const giveUp = (how: string, when: string) => new Failure(1, `${problem}${how}.`, ...details, `Try again ${when}.`);
    if (wait > 30) throw giveUp(' and asks you to wait', `at ${clockTime(fromNow(wait))}`);
    if (attempt === 3) throw giveUp('. This was the third attempt', 'in a few minutes');
    say(`${problem}; retrying in ${count(wait, 'second')}.`);
    await sleep(wait * 1000);
  }
}

/**
 * Sends one token request (RFC 6749, section 4.4, with Zoom's `account_credentials` grant type).
 * @throws a socket error, an AbortError after 15 seconds, or a Failure as readResponse() does
 */
async function post(server: Server, credentials: Credentials, onSent: () => void): Promise<Outcome> {
  const { agent, endpoint } = server;
  const { ZOOM_ACCOUNT_ID: account_id, ZOOM_CLIENT_ID: id, ZOOM_CLIENT_SECRET: secret } = credentials;
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const signal = AbortSignal.timeout(15_000);
  const autoSelectFamilyAttemptTimeout = 2_500; // Node's default, 250 ms for each address, is short for a slow network.
  const options = { method: 'POST', auth: `${id}:${secret}`, agent, headers, signal, autoSelectFamilyAttemptTimeout };
  const request = (endpoint.protocol === 'http:' ? await import('node:http') : https).request(endpoint, options);
  request.once('finish', onSent).on('error', () => {}); // once() reports the error that matters.
  request.end(new URLSearchParams({ grant_type: 'account_credentials', account_id }).toString());
  // Give the signal to once(), too: the request ignores it while a proxy opens the tunnel (Node 22 to 26).
  // Race 'close', too: a server that switches protocols causes no 'response'.
  const events = ['response', 'close'].map((event) => once(request, event, { signal }));
  const [response]: IncomingMessage[] = await Promise.race(events);
  if (!response) throw new Error('closed without a response');
  let body = '';
  for await (const chunk of addAbortSignal(signal, response.setEncoding('utf8')))
    if ((body += chunk).length > 2 ** 20) throw interception(endpoint, 'sent more than 1 MiB');
  return readResponse(response, body, server, credentials);
}

/** @param what what the server did that Zoom itself never does */
function interception({ host, origin }: URL, what: string): Failure {
  const who = 'A captive portal, proxy, or firewall may have answered instead.';
  return new Failure(1, `${host} ${what}.`, who, `Open ${origin}/ in a browser, or try another network.`);
}

/** The statuses that `curl --retry` retries, and those with which Cloudflare reports an outage of its customer. */
const TRANSIENT = [408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524];

/** @throws a Failure for a response that is neither a token, nor a rejection, nor worth another attempt */
function readResponse(response: IncomingMessage, body: string, server: Server, credentials: Credentials): Outcome {
  const { statusCode: status = 0, headers } = response;
  const { endpoint, marketplace } = server;
  const { ZOOM_CLIENT_ID: id, ZOOM_CLIENT_SECRET: secret } = credentials;
  const json = parseObject(body);
  const { access_token: token, expires_in: seconds, scope } = json ?? {};
  const secrets = [secret, Buffer.from(`${id}:${secret}`).toString('base64'), typeof token === 'string' ? token : ''];
  const excerpt = (text: unknown) => (typeof text === 'string' ? redact(clean(text), secrets).slice(0, 200) : '');
  const texts = ['reason', 'errorMessage', 'error_description', 'message', 'error'].map((name) => json?.[name]);
  const message = texts.map((text) => (typeof text === 'string' ? clean(text) : '')).find(Boolean);
  const statement = message ? `"${excerpt(message)}" (${status})` : `status ${status}`;
  const trackingId = excerpt(headers['x-zm-trackingid']);
  const details = trackingId ? [`Tracking ID (for Zoom support): ${trackingId}`] : [];
  const isPage = /^\s*</.test(body);

  const problem = `${endpoint.host} answered with ${statement}`;
  const wait = parseRetryAfter(headers['retry-after']);
  // Retry a page with a 5xx status, which is a load balancer's, but not with a 4xx, which is a captive portal's.
  if (TRANSIENT.includes(status) && !(isPage && status < 500)) return { kind: 'transient', problem, details, wait };
  if (status >= 300 && status < 400 && headers.location)
    throw interception(endpoint, `answered with a redirect to ${excerpt(headers.location)} (${status})`);
  const what = isPage ? 'a web page' : body ? 'something other than a JSON object' : 'an empty response';
  if (!json) throw interception(endpoint, `answered with ${what} (status ${status})`);
  if (status >= 400 && status < 500) {
    const codes = [json['error'], json['errorCode'], json['code']].filter((code) => typeof code !== 'object');
    const { suspects, advice } = diagnose([...codes, `"${message}"`].join(' '), marketplace);
    return { kind: 'rejection', suspects, lines: [`Zoom rejected the request: ${statement}.`, ...details, ...advice] };
  }
  // Accept only printable ASCII (RFC 6749, appendix A.12).
  if (status < 300 && typeof token === 'string' && /^[\x20-\x7e]+$/.test(token)) {
    const words = [scope].flat().flatMap((text) => (typeof text === 'string' ? text.split(/\s+/) : []));
    const scopes = words.map((word) => redact(clean(word), secrets)).filter(Boolean);
    const lifetime = typeof seconds === 'string' ? Number(seconds) : seconds;
    const expires = typeof lifetime === 'number' && lifetime > 0 && lifetime < 1e9 ? fromNow(lifetime) : undefined;
    return { kind: 'token', token, scopes, expires, json };
  }
  const how = status < 300 && !message ? `without a usable access_token (${status})` : `with ${statement}`;
  throw new Failure(1, `${endpoint.host} answered ${how}.`, ...details, 'Try again in a few minutes.');
}

/** Parses a JSON object; returns undefined for anything else. */
function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    return /^\s*\{/.test(text) ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

/** Masks secrets in a text, and every piece of a secret that is six characters or longer. */
function redact(text: string, secrets: readonly string[]): string {
  const chars = text.split('');
  for (const secret of secrets)
    for (let at = 0, size = Math.min(6, secret.length); at + size <= text.length; at++)
      if (secret.includes(text.slice(at, at + size))) chars.fill('\0', at, at + size);
  return chars.join('').replace(/\0+/g, '***');
}

/**
 * Parses a Retry-After header (RFC 9110, section 10.2.3), which holds either seconds or a date.
 * @returns the seconds to wait, capped so that they can be added to a date, or undefined if there are none
 */
function parseRetryAfter(value = ''): number | undefined {
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000);
  return seconds > 0 ? Math.min(seconds, 1e9) : undefined;
}

/** The error of a name lookup (`hostname`), a connection (`address`), or a proxy's tunnel (`statusCode`). */
type SocketError = NodeJS.ErrnoException & { hostname?: string; address?: string; port?: number; statusCode?: number };

/** Returns an error that another attempt may not meet again as a TransientError. Throws any other as a Failure. */
async function readError(error: unknown, server: Server): Promise<TransientError> {
  if (error instanceof Failure || error instanceof TypeError) throw error;
  const { name, code, message, statusCode, hostname, address = '', port } = error as SocketError;
  const { host } = server.endpoint;
  const cause = `${code ?? clean(message)}${statusCode ? `, status ${statusCode}` : ''}`;
  const transient = (problem: string): TransientError => ({ kind: 'transient', problem, details: [server.hint] });
  if (name === 'AbortError') return transient(`${host} did not respond within 15 seconds`);
  if (code === 'ECONNRESET' || code === 'EPIPE') return transient(`${host} closed the connection`);
  if (/^(?!ERR_SSL_).*(CERT|ISSUER|SIGNATURE)/.test(cause)) throw await explainCertificate(cause, server);

  const peer = hostname ?? (address ? `${address.includes(':') ? `[${address}]` : address}:${port}` : host);
  const problem = `Cannot ${hostname ? 'resolve' : 'connect to'} ${peer} (${cause})`;
  if (/^(EAI_AGAIN|ETIMEDOUT|E(HOST|NET)(DOWN|UNREACH))$/.test(cause)) return transient(problem);
  throw new Failure(1, `${problem}.`, server.hint);
}

/**
 * Explains a certificate error.
 * @param code from OpenSSL or Node
 */
async function explainCertificate(code: string, { endpoint, proxy, hint }: Server): Promise<Failure> {
  // Find out whose certificate it is, which the error does not say: connecting to the proxy alone may fail alike.
  const request = proxy?.protocol === 'https:' && https.get(proxy.origin);
  const events = request ? [once(request, 'error'), once(request, 'response'), sleep(5_000, [])] : [[]];
  const [result] = await Promise.race(events);
  const isProxy = result?.code === code;
  const peer = isProxy ? `the proxy ${proxy?.host}` : endpoint.host;
  const sentence = (predicate: string) => `The certificate of ${peer} ${predicate} (${code}). Nothing was sent.`;
  const clock = 'Check the date and time of this computer.';
  if (/EXPIRED|NOT_YET_VALID/.test(code)) return new Failure(1, sentence('has expired or is not valid yet'), clock);
  if (/ALTNAME/.test(code) && !isProxy) return interception(endpoint, `sent a wrong certificate (${code})`);
  if (/ALTNAME/.test(code)) return new Failure(1, sentence('is for another host'), hint);
  const remedy = `If your company inspects TLS traffic, set NODE_USE_SYSTEM_CA=1 (Node 22.19+ or
24.6+), or set NODE_EXTRA_CA_CERTS to a file with your company's CA certificate.`;
  return new Failure(1, sentence('is not trusted'), remedy);
}

/**
 * Works out what a rejection means, from its text or its number in Zoom's "OAuth error messages".
 * @returns the credentials that may be wrong, and what to tell the user
 */
function diagnose(text: string, marketplace: string): { suspects: readonly Name[]; advice: string[] } {
  const [account, id, secret] = NAMES;
  const mismatch = `${id} or ${secret} is wrong, or they belong to different apps.`;
  const wrongType = 'The app is not a Server-to-Server OAuth app, or is not activated.';
  const compare = `with App Credentials at ${marketplace}.`;
  const activation = `Activation page at ${marketplace}.`;
  const causes: [pattern: RegExp, suspects: readonly Name[], problem: string, remedy: string][] = [
    [/by admin|\b4738\b/i, [], 'An administrator has disabled the app.', 'Ask an administrator to allow it again.'],
    [/\bowner\b|\b4735\b/i, [], 'The owner of the app no longer exists.', `Assign a new owner at ${marketplace}.`],
    [/disabled|\b4717\b/i, [id, secret], `The app with this ${id} is disabled.`, `Activate it on its ${activation}`],
    [/grant.type|\b4705\b/i, [id, secret], wrongType, `Check its type and its ${activation}`],
    [/invalid.client|client.(id|secret)|\b470[246]\b/i, [id, secret], mismatch, `Compare both ${compare}`],
    // Use these only if Zoom says nothing more specific.
    [/"(bad |invalid_)request"/i, [account], `${account} is probably wrong.`, `Compare it ${compare}`],
    [/^/, NAMES, 'The cause is not known.', `Compare all three credentials ${compare}`],
  ];
  const [, suspects, ...advice] = causes.find(([pattern]) => pattern.test(text))!; // The first match counts.
  return { suspects, advice };
}

/** Returns Zoom's response as JSON, with expires_at added at the top. */
function toJson({ json, expires }: TokenResponse): string {
  // JSON.stringify leaves DEL and C1 control characters unescaped, and terminals may act on them.
  const escape = (char: string) => `\\u00${char.charCodeAt(0).toString(16)}`;
  return `${JSON.stringify({ expires_at: expires, ...json }, null, 2).replace(/[\x7f-\x9f]/g, escape)}\n`;
}

/** Copies the token, then prints it and its scopes, line for line like Zoom's s2s.js ("Oauth" included). */
async function present({ token, scopes, expires }: TokenResponse, { marketplace }: Server): Promise<void> {
  for (const name of NAMES) delete process.env[name]; // The commands that copy inherit the environment.
  const whyNotCopied = whyNoClipboard() ?? (await copy(token));
  const heading = `Zoom Server-to-Server Oauth token${whyNotCopied ? '' : ' copied to clipboard'}:`;
  await print(['', heading, '-'.repeat(54), token, '', 'Scopes:', '-------', ...scopes, ''].join('\n'));

  const notes = whyNotCopied ? [`Cannot use the clipboard (${whyNotCopied}).`, await copyByTerminal(token)] : [];
  const noScopes = 'The token has no scopes. If you have just added some, run this again soon.';
  if (!scopes.length) notes.push(noScopes, `Otherwise, add some at ${marketplace}.`);
  if (expires) notes.push(`Expires at ${clockTime(expires)}.`);
  if (notes.length && process.stdout.isTTY && process.stderr.isTTY) say(''); // Part them from the scopes.
  notes.forEach(say);
}

/** Copies the token to the clipboard. Returns why if that fails or takes too long. */
async function copy(token: string): Promise<string | undefined> {
  // Wait longer for PowerShell, which starts slowly.
  const limit = process.platform === 'win32' || process.env['WSL_DISTRO_NAME'] ? 15_000 : 5_000;
  const written = import('clipboardy').then(({ default: clipboard }) => clipboard.write(token));
  return Promise.race([written.then(() => undefined, explainCopying), sleep(limit, 'the clipboard command timed out')]);
}

/** What clipboardy throws: the error of one clipboard command, or an error that wraps those of two. */
type ClipboardError = Error & { stderr?: string; xselError?: { stderr?: string }; fallbackError?: { stderr?: string } };

/** Returns why copying failed: what to install if the clipboard command is missing, or else its own message. */
function explainCopying({ message, stderr, xselError, fallbackError }: ClipboardError): string {
  const { PATH = '', WAYLAND_DISPLAY } = process.env;
  // Find out what clipboardy does not say: it only reports why its next choices, xsel and its own xsel, failed.
  const hasWlCopy = PATH.split(delimiter).some((folder) => fs.existsSync(join(folder, 'wl-copy')));
  if (WAYLAND_DISPLAY && fallbackError) return hasWlCopy ? 'wl-copy failed' : 'install wl-clipboard';
  // Ignore a syntax error: on other processors than x86-64, a shell takes clipboardy's own xsel for a script.
  const [, missing] = /^Couldn't find.*\bapt install ([\w-]+)/.exec(message) ?? [];
  if (missing && !/open display/.test(fallbackError?.stderr ?? '')) return `install ${missing}`;
  return clean(xselError?.stderr || stderr || fallbackError?.stderr || message.split(/\.\s|\n/)[0] || '');
}

/** Returns why there is no clipboard here, judging by the environment, or undefined. */
function whyNoClipboard(): string | undefined {
  const { DISPLAY = '', SSH_CONNECTION, SSH_TTY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = process.env;
  const isLinux = process.platform === 'linux';
  // A forwarded X11 display ("localhost:10.0") is the user's own; any other belongs to the remote machine.
  if ((SSH_CONNECTION || SSH_TTY) && !(isLinux && /^[^:]/.test(DISPLAY))) return 'this is an SSH session';
  return isLinux && !DISPLAY && !WAYLAND_DISPLAY && !WSL_DISTRO_NAME ? 'there is no display' : undefined;
}

/** Copies the token by way of tmux or the terminal. Returns what was done, or what is left to do. */
async function copyByTerminal(token: string): Promise<string> {
  const { STY, TERM = '', TMUX } = process.env;
  const { spawnSync } = await import('node:child_process');
  // tmux does not pass on OSC 52 unless set-clipboard is "on". -w, from tmux 3.2, sends it to the terminal outside.
  const tmux = TMUX && spawnSync('tmux', ['load-buffer', '-w', '-'], { input: token, timeout: 5_000 });
  if (tmux && tmux.status === 0) return "Copied the token to tmux's buffer, and asked your terminal to copy it.";
  // GNU screen prints an OSC 52 sequence that does not fit its buffer. tmux, whose TERM may also be "screen", does not.
  const isScreen = STY || (/^screen(\.|$)/.test(TERM) && !TMUX);
  if (!process.stdout.isTTY || TERM === 'dumb' || isScreen) return 'Copy the token from the output.';
  await print(`\x1b]52;c;${Buffer.from(token).toString('base64')}\x07`);
  return 'Asked your terminal to copy the token.';
}

/** Writes to stdout and waits for it to be flushed. A closed pipe is not an error. */
async function print(text: string): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((done) => process.stdout.write(text, done));
  if (error && error.code !== 'EPIPE') throw new Failure(1, `Cannot write to stdout: ${reason(error)}.`);
}

/** Prints a message on stderr; stdout is for the result. */
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Makes untrusted text safe to print: short, on one line, without escape sequences or control characters. */
const clean = (text: string) =>
  stripVTControlCharacters(text.slice(0, 999)).replace(/\s+/g, ' ').replace(/\p{C}/gu, '').trim();

/** Quotes a file name for a POSIX shell, if that is necessary. */
const quoteForShell = (name: string) =>
  /^[\w./][\w./-]*$/.test(name) ? name : `'${name.replaceAll("'", String.raw`'\''`).replace(/^-/, './-')}'`;

/** Joins names: "A", "A and B", "A, B, and C". */
const list = (names: readonly string[]) => new Intl.ListFormat('en').format(names);

/** Formats a number and its unit: "1 second", "2 seconds". */
const count = (number: number, unit: string) => `${number} ${unit}${number === 1 ? '' : 's'}`;

const fromNow = (seconds: number) => new Date(Date.now() + seconds * 1000);

/** Formats a future time: "15:04, in 60 minutes", "15:04, in 3 hours", or "15:04 on Tue Nov 24 2026". */
function clockTime(date: Date): string {
  const minutes = Math.ceil((date.getTime() - Date.now()) / 60_000);
  const distance = minutes <= 120 ? count(minutes, 'minute') : count(Math.round(minutes / 60), 'hour');
  return `${date.toTimeString().slice(0, 5)}${minutes < 1440 ? `, in ${distance}` : ` on ${date.toDateString()}`}`;
}

/** Returns the reason for a system error, such as "permission denied". */
const reason = (error: unknown) =>
  getSystemErrorMap().get((error as NodeJS.ErrnoException).errno ?? 0)?.[1] ?? (error as Error).message;

for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {}); // print() reports what matters.
// Handle signals even if no cleanup is needed: PID 1 of a container ignores a signal that has no handler.
const interruption = new Promise<never>((_, reject) => {
  process.once('SIGINT', () => reject(new Failure(130, 'Cancelled.')));
  process.once('SIGTERM', () => reject(new Failure(143)));
});
await Promise.race([main(interruption), interruption]).catch((error: unknown) => {
  if (!(error instanceof Failure)) throw error;
  if (error.message) say(error.message);
  process.exitCode = error.exitCode;
});
// Flush stderr, then exit even if something is still running, such as a clipboard command that hangs.
process.stderr.write('', () => {
  // After a signal, end by that signal: process.exit() waits for a name lookup, which may take half a minute to fail.
  const signal = (['SIGINT', 'SIGTERM'] as const).find((name) => !process.listenerCount(name));
  if (signal && !process.stdin.isRaw && process.platform !== 'win32') process.kill(process.pid, signal);
  process.exit();
});
