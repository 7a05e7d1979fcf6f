#!/usr/bin/env node
/**
 * s2s: gets a one-hour access token for the Zoom API, using a Server-to-Server OAuth app.
 *
 * main() is the outline; the functions below follow it roughly in the order in which it needs them. Expected errors are
 * thrown as Failures and reported by the last lines of the file. The result goes to stdout, everything else to stderr.
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

Settings, read from the environment or .env, where s2s saves what you type:
  ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET
  ZOOM_HOST                zoom.us (default), zoomgov.com (API: api.zoomgov.com)

Other environment variables:
  DOTENV_PATH              a file to use instead of .env
  NODE_ENV                 if "production", nothing is saved
  HTTPS_PROXY, NO_PROXY    proxy, hosts that bypass it (Node 22.21+ or 24.5+)
  NODE_USE_SYSTEM_CA       if 1, trust the system's CAs (Node 22.19+ or 24.6+)
  NODE_EXTRA_CA_CERTS      a PEM file with more CA certificates to trust

Exit codes: 0 success; 1 Zoom, network, or output error; 2 invalid flag, or
invalid or missing setting; 130 cancelled; 143 terminated
`;

/** @param untilSignal rejects with a Failure when a signal arrives */
async function main(untilSignal: Promise<never>): Promise<void> {
  const flags = readFlags();
  if (flags.help || flags.version) return print(flags.help ? USAGE : `${readVersion()}\n`);
  if (flags.token && flags.json) throw new Failure(2, '--token and --json cannot be used together.', 'Use one.');

  const settings = await readSettings();
  const server = findServer(settings);
  const willCopy = !flags.token && !flags.json && !whyNoClipboard();
  // Load clipboardy, which takes 150 ms, while waiting for Zoom's response.
  const onSent = () => void (willCopy && import('clipboardy').catch(() => {}));

  let credentials = await promptForMissing(settings, server);
  // Race untilSignal here, too: what was typed has to be saved before the process exits.
  const tryCredentials = () =>
    Promise.race([requestToken(server, credentials, onSent), untilSignal]).catch((error: unknown) => {
      save(credentials, settings); // Keep what was typed: Zoom has not rejected it.
      throw error;
    });
  let outcome;
  while ((outcome = await tryCredentials()).kind === 'rejection')
    credentials = await promptForSuspects(outcome, settings, credentials);
  save(credentials, settings);

  if (flags.token) await print(`${outcome.token}\n`);
  else if (flags.json) await print(toJson(outcome));
  else await present(outcome, server);
}

/** An expected error: reported without a stack trace. */
class Failure extends Error {
  /** USAGE says what each code means. */
  readonly exitCode: 1 | 2 | 130 | 143;

  /** @param lines what went wrong, then what to do about it */
  constructor(exitCode: Failure['exitCode'], ...lines: string[]) {
    super(lines.join('\n'));
    this.exitCode = exitCode;
  }
}

const CREDENTIAL_NAMES = ['ZOOM_ACCOUNT_ID', 'ZOOM_CLIENT_ID', 'ZOOM_CLIENT_SECRET'] as const;
type CredentialName = (typeof CREDENTIAL_NAMES)[number];
type Credentials = Record<CredentialName, string>;

/**
 * What the environment and the dotenv file set.
 * @property credentials empty strings where not set
 * @property zoomHost a host, or a URL as in Zoom's own samples
 * @property isInEnv whether the environment sets a setting
 * @property file the dotenv file
 */
type Settings = { credentials: Credentials; zoomHost: string; isInEnv: (name: string) => boolean; file: string };

/**
 * Where to request the token, and how to get there.
 * @property marketplace the URL of the Marketplace, where apps are managed
 * @property proxy the URL of the proxy
 * @property agent connects through the proxy
 * @property hint what to check if connecting fails
 */
type Server = { endpoint: URL; marketplace: string; proxy?: URL; agent?: https.Agent; hint: string };

/** How a request ends, unless it throws a Failure. */
type Outcome = TokenResponse | Rejection | TransientOutcome;
type TokenResponse = { kind: 'token'; token: string; scopes: string[]; expires: Date | undefined; json: object };
/** Zoom does not accept the request, usually because of the credentials. */
type Rejection = { kind: 'rejection'; suspects: readonly CredentialName[]; lines: string[] };
/** Another attempt may succeed, after `wait` seconds if the server said so. `problem` ends without a period. */
type TransientOutcome = { kind: 'transient'; problem: string; details: string[]; wait?: number | undefined };

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
async function readSettings(): Promise<Settings> {
  const { env, versions } = process;
  const file = env['DOTENV_PATH'] || '.env'; // dotenv's own name for this setting.
  const inFile = await readDotenv(file);
  // Don't count what Bun itself has loaded from .env into the environment.
  const isInEnv = (name: string) => !!unwrapValue(name, env[name]) && !(versions['bun'] && env[name] === inFile[name]);
  const valueOf = (name: string) => unwrapValue(name, isInEnv(name) ? env[name] : inFile[name]);
  const credentials = Object.fromEntries(CREDENTIAL_NAMES.map((name) => [name, valueOf(name)])) as Credentials;
  for (const name of CREDENTIAL_NAMES) {
    const [predicate, remedy = ''] = findProblem(name, credentials[name], isInEnv(name) ? '' : file);
    if (predicate) throw new Failure(2, `${name} in ${isInEnv(name) ? 'the environment' : file} ${predicate}.`, remedy);
  }
  return { credentials, zoomHost: valueOf('ZOOM_HOST') || 'zoom.us', isInEnv, file };
}

/** Reads a dotenv file. Reports one that cannot be read; one that does not exist has no settings. */
async function readDotenv(file: string): Promise<Record<string, string>> {
  // Don't use readFileSync(): while a named pipe blocks it, no signal can be handled.
  const bytes = await fs.promises.readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') say(`Cannot read ${file}: ${reasonOf(error)}.`);
    return Buffer.alloc(0);
  });
  // UTF-16 begins with a byte order mark, or has a NUL as its first or second byte.
  if (/^(fffe|feff|00|..00)/.test(bytes.toString('hex', 0, 2)))
    throw new Failure(2, `${file} is UTF-16, which dotenv cannot read.`, 'Save it as UTF-8.');
  return parse(bytes);
}

/**
 * Extracts the value from a string that was typed, pasted, or set in the dotenv file or the environment. Drops what
 * surrounds it, such as white space, invisible characters, quotes, tags, commas, and a label that names it.
 * @returns the value, or an empty string if the text is nothing but a label or a placeholder
 */
function unwrapValue(name: string, text = ''): string {
  const inside = text
    .replace(/^[\s\p{C}\p{DI}\u2800]+|[\s\p{C}\p{DI}\u2800,;|]+$/gu, '') // \u2800 is a blank Braille pattern.
    .replace(/^(?:[“”„«»‘’‚‹›]|<\w+>)(.*)(?:[“”„«»‘’‚‹›]|<\/\w+>)$/su, '$1') // Such as “…” or <td>…</td>.
    .replace(labelPattern(name), '')
    .replace(/^(?:(?:export|set)\s+)?(["'`])(.*)\1(?:\s+#.*)?$/su, '$2'); // Such as `set "NAME=…"` or `"…" # note`.
  if (inside !== text) return unwrapValue(name, inside); // Repeat, as for `"NAME='…'"`.
  return SAMPLE.test(text) || NO_VALUE.test(text) ? '' : text;
}

/** Returns a pattern for the label of a value, such as `export ZOOM_CLIENT_ID=`, `"client_id": `, or `Client ID: `. */
function labelPattern(name: string): RegExp {
  // Match ZOOM_HOST only in full: "host" alone would match in "localhost:3000", which has no label.
  const words = name === 'ZOOM_HOST' ? name : name.replace('ZOOM_', '').replace('_', String.raw`[\s_-]?`);
  // Allow a few words before the name, outside or inside its quotes, but no reference such as ${NAME} or $NAME.
  const before = String.raw`(?!\$(?:\{|\w+$))(?:\$env:)?[^#=:"'\`“‘„«‹]{0,40}?`;
  // The name may be in quotes (\1), or be followed by a closing quote alone: unwrapValue() takes the outer quotes of
  // `"NAME": "…"` for quotes around a value, which leaves `NAME": "…`. That is what findProblem() then searches for
  // labels of other credentials.
  const nameInQuotes = String.raw`(["'\`]?)${before}${words}(?:\1|["'\`](?=\s*[=:]))`;
  // A separator, a space, or nothing follows the name.
  return new RegExp(String.raw`^${before}${nameInQuotes}(?:\s*[=:：>*,|–—]+\s*|\s+(?:-\s+)?|$)`, 'i');
}

/** Words that stand in place of a value in samples, as in "your_client_id_here". */
const SAMPLE_WORDS =
  'account|actual|add|api|app|change|client|copy|credentials?|enter|example|goes|here|id|insert|key|me|my|new|none|' +
  'null|oauth|paste|placeholder|put|replace|s2s|secret|server|set|tbd|the|this|to|todo|undefined|value|x|your|zoom';
const SAMPLE = new RegExp(`^(${SAMPLE_WORDS}|[^\\p{L}\\p{N}$])*$`, 'iu');
/** Matches other strings that are not values: "<CLIENT_ID>", "xxxx", "# a comment", "#NAME=…", or "My app's ID:". */
const NO_VALUE = /^[<[].*[>\]]$|^(.)\1{3,}$|^(#+|\/\/)( |[A-Z_]{4,}=)|\s\w+:$/su;
/** Matches more than one value: a row of a table, or the name of a credential in the middle, as in JSON on one line. */
const SEVERAL_VALUES = /[\w-]{16,}[\s,;|"']+[\w-]{16,}|(account|client)[\s_-]?(id|secret)["'`]?\s*[=:]/i;

/**
 * Finds out why a value cannot be right.
 * @param file the dotenv file that it comes from, or an empty string
 * @returns the predicate of a sentence about the value, and the remedy
 */
function findProblem(name: CredentialName, value: string, file = ''): [] | [predicate: string, remedy: string] {
  const other = CREDENTIAL_NAMES.find((candidate) => candidate !== name && labelPattern(candidate).test(value));
  if (other) return [`is labeled ${other}`, 'Correct the value or its label.'];
  const opRun = `op run${file && ` --env-file=${quoteForShell(file)}`} --`;
  const problems: [pattern: RegExp, predicate: string, remedy: string][] = [
    [/^op:\/\//i, 'is an unresolved reference (op://…)', `Run this command through: ${opRun}`],
    [/^encrypted:/, 'is still encrypted (encrypted:…)', 'Run this command through: dotenvx run --'],
    [/^\$(\{.*\}|\(.*\)|env:.*|[A-Z_][A-Z\d_]*)$/s, 'is an unresolved reference ($…)', 'Set the value itself.'],
    [/^(\{\{|ENC\[|%\w+%$|vault:|\w[\w+.-]*:\/\/)/i, 'is an unresolved reference or a URL', 'Set the value itself.'],
    [/^(export )?[A-Z][A-Z_]{3,}=[^=]/, 'sets another variable', 'Correct the value or its label.'],
    [SEVERAL_VALUES, 'contains more than one value', 'Keep only one.'],
  ];
  const [, ...problem] = problems.find(([pattern]) => pattern.test(value)) ?? [];
  if (problem.length) return problem;
  const codePoint = /[\p{C}\p{DI}]/u.exec(value)?.[0].codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0');
  return codePoint ? [`contains an invisible character (U+${codePoint})`, 'Remove it.'] : [];
}

/**
 * Returns where to request the token. Only Zoom, Zoom for Government, and (for the tests and the demo) this machine are
 * allowed, so that the credentials cannot end up anywhere else.
 */
function findServer({ zoomHost, isInEnv, file }: Settings): Server {
  const text = zoomHost.includes('://') ? zoomHost : `https://${zoomHost}`;
  const { protocol = '', hostname = '' } = URL.canParse(text) ? new URL(text) : {};
  const isZoom = protocol === 'https:' && /(^|\.)(zoom\.us|zoomgov\.com)$/.test(hostname);
  const isLocal = /^https?:$/.test(protocol) && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  const setting = isInEnv('ZOOM_HOST') ? 'ZOOM_HOST' : `ZOOM_HOST in ${file}`;
  const problem = `${setting} is "${clean(zoomHost)}", which is not a Zoom host.`;
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
    // Go to the catch below if a "/", "?", or "#" in the password has ended the authority early.
    if (!/^https?:\/\/[^/?#]+\/$/.test(proxy.href)) throw new Error('not a proxy');
    const agent = new https.Agent({ proxyEnv: { HTTPS_PROXY: proxy.href, NO_PROXY } });
    const hint = `Check ${variable}, NO_PROXY, your VPN, and your firewall.`;
    // Node 22.21 and 24.5 introduced --use-env-proxy and proxyEnv together. Check last, so that older versions, too,
    // report an invalid URL.
    if (process.allowedNodeEnvironmentFlags.has('--use-env-proxy')) return { agent, proxy, hint };
    return { hint: `${variable} needs Node 22.21+ or 24.5+.` };
  } catch {
    // Don't report the error itself: it may hold the password.
    const remedy = 'Set it to http://[user:password@]host:port, with the password percent-encoded.';
    throw new Failure(2, `${variable} is not an HTTP proxy URL.`, remedy);
  }
}

/** Returns the credentials, prompting for those that are missing. */
async function promptForMissing({ credentials, file }: Settings, { marketplace }: Server): Promise<Credentials> {
  const missing = CREDENTIAL_NAMES.filter((name) => !credentials[name]);
  if (!missing.length) return credentials;
  const place = `${resolve(file)}${fs.existsSync(file) ? '' : ', which does not exist'}`;
  const problem = `Missing credentials: ${joinNames(missing)}.\nLooked in the environment and in ${place}.`;
  const whyNot = whyNoPrompt();
  if (whyNot) throw new Failure(2, problem, `Set them in either place. Cannot prompt, because ${whyNot}.`);
  const path = 'Developer (or Manage) > Created apps > your app > App Credentials';
  const noApp = 'No app yet? Choose Developer > Develop > Build App > Server-to-Server OAuth App.';
  const lines = [problem, `Find your credentials at ${marketplace} under\n${path}.`, noApp];
  if (missing.length > 1) lines.push('You can paste them all at once, one per line, in the order listed above.');
  return promptFor(missing, credentials, lines);
}

/** Returns the credentials after a rejection, prompting for those that may be wrong. */
async function promptForSuspects({ suspects, lines }: Rejection, settings: Settings, current: Credentials) {
  const fromEnv = suspects.filter(settings.isInEnv);
  const advice = `If a value there is wrong, correct or unset it; s2s can change only ${settings.file}.`;
  if (fromEnv.length) lines.push(`The environment sets ${joinNames(fromEnv)}.`, advice);
  const names = suspects.filter((name) => !fromEnv.includes(name));
  if (!names.length || whyNoPrompt()) throw new Failure(1, ...lines);
  const credentials = await promptFor(names, current, [...lines, 'Press Enter to keep the current value.']);
  if (!isDeepStrictEqual(credentials, current)) return credentials;
  throw new Failure(1, 'Nothing changed, so s2s did not try again.', 'Run s2s again to retry or to change a value.');
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
async function promptFor(names: readonly CredentialName[], current: Credentials, lines: string[]) {
  process.stdin.setRawMode(true); // Before anything else, so that a secret pasted early is not echoed.
  lines.forEach(say);
  // kleur, which colors the prompts, checks NODE_DISABLE_COLORS, but not NO_COLOR.
  if (process.env['NO_COLOR']) process.env['NODE_DISABLE_COLORS'] = '1';
  const [{ default: prompts }, readline] = await Promise.all([import('prompts'), import('node:readline')]);
  const { close, ...options } = createLineEditor(readline);
  const questions = names.map((name) => {
    const format = (text: string) => unwrapValue(name, text);
    const validate = (text: string) => {
      const [predicate] = findProblem(name, format(text));
      return predicate ? `This ${predicate}. Press Ctrl-U to clear it.` : format(text) !== '' || 'Enter a value.';
    };
    return { type: 'text' as const, name, message: name, initial: current[name], format, validate, ...options };
  });
  const onCancel = () => Promise.reject(new Failure(130, 'Cancelled.'));
  return { ...current, ...(await prompts(questions, { onCancel }).finally(close)) };
}

/** Masks whatever is typed at the prompt for the client secret and, at other prompts, a line that may contain it. */
const mask = (name: string, text: string) =>
  /secret/i.test(name + text) || SEVERAL_VALUES.test(unwrapValue(name, text)) ? '*'.repeat(text.length) : text;

/**
 * The private properties of a text prompt that createLineEditor() uses: whether it is new, its message, its value,
 * whether it has refused that value, and how to redraw it. createLineEditor() also sets `transform` (how to render the
 * value), `error` (whether the reason for the refusal is shown), and `cursorOffset` (where the cursor is, counted from
 * the end of the value). package.json pins the version of prompts.
 */
type TextPrompt = { firstRender: boolean; msg: string; value: string; red: boolean; render(): void };

/**
 * Reads lines from the terminal and hands them to the prompts one at a time, so that several lines pasted at once
 * answer several prompts. Node's readline edits them, because the prompts package treats control keys as text, does not
 * know Home and End, and cuts characters outside the Basic Multilingual Plane in two.
 *
 * Each rendering calls onRender(), which remembers a prompt that is new or has refused a line. Each key then calls
 * update(), which shows the line so far in that prompt or, after Enter, submits the line and forgets the prompt.
 * @returns options for every prompt, and close(), which releases the terminal
 */
function createLineEditor({ createInterface, emitKeypressEvents }: typeof import('node:readline')) {
  // prompts listens only for 'keypress' events on its stdin, and the editor gets its keys from write(): no data flows
  // through either input. The output discards what readline would print.
  const [promptInput, input, output] = [new PassThrough(), new PassThrough(), new PassThrough().resume()];
  const editor = createInterface({ input, output, terminal: true, historySize: 0 });
  const queue: string[] = [];
  let prompt: TextPrompt | undefined; // The one that waits for a line.
  let isCancelled = false;

  const update = () => {
    if (!prompt) return;
    const keyToSend = isCancelled ? 'escape' : queue.length ? 'return' : '';
    const cursorOffset = editor.cursor - editor.line.length;
    Object.assign(prompt, { value: queue.shift() ?? editor.line, cursorOffset, red: false, error: false });
    if (!keyToSend) return prompt.render();
    prompt = undefined;
    promptInput.emit('keypress', undefined, { name: keyToSend });
  };
  function onRender(this: TextPrompt) {
    if (!this.firstRender && !this.red) return;
    prompt = this;
    // Mask secrets. Set `transform` before the value, because the setter of the value applies it at once: to the value
    // or, if that is empty, to the default.
    if (this.firstRender)
      Object.assign(this, { transform: { render: (text: string) => mask(this.msg, text) }, value: '' });
    while (queue[0]?.trim() === '') queue.shift(); // Skip the blank lines of a paste.
    // After a refused line that holds a value, drop the rest of the paste, and let the user edit that line. After one
    // that holds none, such as "Account ID" on a line of its own, go on with the next line of the paste.
    if (this.red && unwrapValue(this.msg, this.value)) {
      queue.length = 0;
      ['e', 'u'].forEach((name) => editor.write(null, { ctrl: true, name })); // Ctrl-E and Ctrl-U clear the line.
      editor.write(this.value);
    }
    // Once prompts has finished rendering, handle any input already received, but not the line just refused: updating
    // the prompt would hide the reason.
    if (isCancelled || queue.length || (editor.line && editor.line !== this.value)) setImmediate(update);
  }
  const onKey = (text = '', { ctrl = false, name = '', ...rest }: import('node:readline').Key) => {
    isCancelled ||= name === 'escape' || (ctrl && /^[cd]$/.test(name));
    // Treat a Tab after a label or an ID as a space, as in a row copied from a table. Ignore other control characters.
    const isSpace = name === 'tab' && /((account|client)[\s_-]?(id|secret)|[\w-]{16})\W*$/i.test(editor.line);
    if (ctrl && name === 'u') editor.write(null, { ctrl, name: 'e' }); // Clear the whole line, not just a part.
    if (!isCancelled) editor.write(isSpace ? ' ' : text.replace(/[\p{Cc}\u2028\u2029]/gu, ''), { ctrl, name, ...rest });
    update();
  };
  const onEnd = () => onKey('', { name: 'escape' });
  /**
   * Takes the terminal back when `fg` continues a process that was stopped from outside, as by `kill -STOP`. Leaves raw
   * mode first, because Node does not set a mode twice in a row.
   */
  const onContinue = () => (process.stdin.setRawMode(false).setRawMode(true), prompt?.render());

  editor.on('line', (line) => queue.push(line)).on('SIGTSTP', () => {}); // Ignore Ctrl-Z.
  emitKeypressEvents(process.stdin.resume());
  process.on('SIGCONT', onContinue);
  process.stdin.on('keypress', onKey).on('end', onEnd).on('error', onEnd);
  const close = () => {
    process.off('SIGCONT', onContinue);
    process.stdin.off('keypress', onKey).off('end', onEnd).off('error', onEnd).setRawMode(false).pause();
  };
  return { stdin: promptInput, stdout: process.stderr, onRender, close };
}

/** Saves newly typed credentials in the dotenv file. Reports which were saved, or why not. */
function save(credentials: Credentials, { credentials: previous, file }: Settings): void {
  const typed = CREDENTIAL_NAMES.filter((name) => credentials[name] !== previous[name]);
  if (!typed.length) return;
  if (process.env['NODE_ENV']?.trim().toLowerCase() === 'production')
    return say(`Not saved, because NODE_ENV is production. Use the environment to set\n${joinNames(typed)}.`);
  try {
    const stats = fs.statSync(file, { throwIfNoEntry: false });
    if (stats && !stats.isFile()) throw new Error('not a regular file');
    let target = file; // Follow links by hand, since the last may lead to a file that does not exist yet.
    while (fs.lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink())
      target = resolve(fs.realpathSync(dirname(target)), fs.readlinkSync(target));
    let text = stats ? fs.readFileSync(target, 'latin1') : '';
    for (const name of typed) text = setValue(text, name, credentials[name]);
    const saved = typed.filter((name) => parse(Buffer.from(text, 'latin1'))[name] === credentials[name]);
    const unsaved = typed.filter((name) => !saved.includes(name));
    if (unsaved.length) say(`Cannot save ${joinNames(unsaved)} in ${file}: dotenv would read back something else.`);
    if (!saved.length) return;
    replaceFile(target, text, stats);
    say(`Saved ${joinNames(saved)} in ${file}.`);
    if (stats && stats.mode & 0o044 && process.platform !== 'win32')
      say(`Other users can read it. To prevent that, run: chmod 600 ${quoteForShell(file)}`);
  } catch (error) {
    say(`Cannot save ${joinNames(typed)} in ${file}: ${reasonOf(error)}.`);
  }
}

/**
 * Sets one value in the text of a dotenv file, leaving every other byte unchanged. Tries each place and each quoting
 * style until dotenv parses the result as intended: this value, and every other setting as before.
 * @param text the file decoded as latin1, one character per byte, so that invalid UTF-8 survives
 * @returns the new text, or the old text if no attempt succeeds
 */
function setValue(text: string, name: CredentialName, value: string): string {
  const before = String.raw`^(?:\xef\xbb\xbf)?[ \t]*(?:export[ \t]+)?${name}[ \t]*[=:][ \t]*?`;
  const quotedBareOrEmpty = String.raw`(['"\`])[^]*?\1|[^\s#][^#\r\n]*?|`;
  const oldValue = new RegExp(String.raw`(?<=${before})(?:${quotedBareOrEmpty})(?=[ \t]*(?:#.*)?$)`, 'gm');
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const appended = `${text}${/[^\r\n]$/.test(text) ? newline : ''}${name}=${newline}`;
  // dotenv reads past a quote that follows a backslash. If the value ends in a backslash, try it unquoted first.
  const quotes = /^[\w.-]+$|\\$/.test(value) ? ['', "'", '"', '`'] : ["'", '"', '`', ''];
  const wanted = { ...parse(Buffer.from(text, 'latin1')), [name]: value };
  const latin1 = Buffer.from(value).toString('latin1');

  for (const base of [text, appended])
    for (const { 0: match, index } of base.matchAll(oldValue))
      for (const quote of quotes) {
        const edited = base.slice(0, index) + quote + latin1 + quote + base.slice(index + match.length);
        if (isDeepStrictEqual(parse(Buffer.from(edited, 'latin1')), wanted)) return edited;
      }
  return text;
}

/**
 * Replaces a file atomically, keeping its mode and owner. Overwrites it in place if it cannot be replaced: because it
 * is a mount point, because another program has it open, because its owner cannot be kept, or because its folder is not
 * writable. Does all this synchronously, so that no signal is handled halfway through.
 */
function replaceFile(path: string, text: string, oldStats: fs.Stats | undefined): void {
  const temporary = `${path}.${crypto.randomUUID()}`;
  const options = { encoding: 'latin1', flush: true } as const;
  try {
    fs.writeFileSync(temporary, text, { ...options, mode: 0o600, flag: 'wx' });
    if (oldStats) fs.chownSync(temporary, oldStats.uid, oldStats.gid);
    if (oldStats) fs.chmodSync(temporary, oldStats.mode);
    fs.renameSync(temporary, path);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    if (!oldStats || !/^E(ACCES|BUSY|INVAL|PERM|ROFS)$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    fs.writeFileSync(path, text, { ...options, flag: 'r+' });
    fs.truncateSync(path, text.length);
  }
}

/**
 * Requests a token, up to three times. Waits 1 and then 2 seconds between attempts, or as long as Retry-After says, but
 * gives up if that is more than 30 seconds.
 * @param onSent called when a request is on its way
 * @returns a token response or a rejection
 * @throws a Failure for anything else
 */
async function requestToken(server: Server, credentials: Credentials, onSent: () => void) {
  for (let attempt = 1; ; attempt++) {
    const notice = setTimeout(() => process.stderr.isTTY && say(`Waiting for ${server.endpoint.host} …`), 3_000);
    const attempted = post(server, credentials, onSent).finally(() => clearTimeout(notice));
    const outcome = await attempted.catch((error) => classifyError(error, server));
    if (outcome.kind !== 'transient') return outcome;
    const { problem, details, wait = attempt } = outcome;
    const giveUp = (sentence: string, when: string) => new Failure(1, sentence, ...details, `Try again ${when}.`);
    if (wait > 30) throw giveUp(`${problem} and asked you to wait.`, `at ${clockTime(fromNow(wait))}`);
    if (attempt === 3) throw giveUp(`${problem}. This was the third attempt.`, 'in a few minutes');
    say(`${problem}; retrying in ${quantity(wait, 'second')}.`);
    await sleep(wait * 1000);
  }
}

/**
 * Sends one token request (RFC 6749, section 4.4, with Zoom's `account_credentials` grant type).
 * @throws a socket error, an AbortError after 15 seconds, or a Failure
 */
async function post(server: Server, credentials: Credentials, onSent: () => void): Promise<Outcome> {
  const { agent, endpoint } = server;
  const { ZOOM_ACCOUNT_ID: account_id, ZOOM_CLIENT_ID: id, ZOOM_CLIENT_SECRET: secret } = credentials;
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const signal = AbortSignal.timeout(15_000);
  const autoSelectFamilyAttemptTimeout = 2_500; // Node's default, 250 or 500 ms, is too short for slow networks.
  const options = { method: 'POST', auth: `${id}:${secret}`, agent, headers, signal, autoSelectFamilyAttemptTimeout };
  const request = (endpoint.protocol === 'http:' ? await import('node:http') : https).request(endpoint, options);
  request.once('finish', onSent).on('error', () => {}); // once(), below, reports the error.
  request.end(new URLSearchParams({ grant_type: 'account_credentials', account_id }).toString());
  // Also give the signal to once(): the request ignores it while a proxy opens the tunnel (Node 22 to 26).
  // Race 'close', too, which passes no response: a server that switches protocols causes no 'response'.
  const responseOrClose = ['response', 'close'].map((event) => once(request, event, { signal }));
  const [response]: IncomingMessage[] = await Promise.race(responseOrClose);
  if (!response) throw interception(endpoint, 'did not send a usable response');
  let body = '';
  for await (const chunk of addAbortSignal(signal, response.setEncoding('utf8')))
    if ((body += chunk).length > 2 ** 20) throw interception(endpoint, 'sent more than 1 MiB');
  return interpretResponse(response, body, server, credentials);
}

/** @param predicate what the server did that Zoom itself never does */
function interception({ host, origin }: URL, predicate: string): Failure {
  const who = 'A captive portal, proxy, or firewall may have answered instead of Zoom.';
  return new Failure(1, `${host} ${predicate}.`, who, `Open ${origin}/ in a browser, or try another network.`);
}

/** The statuses that `curl --retry` retries, and Cloudflare's 520 to 524, which mean that the origin server failed. */
const RETRYABLE = [408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524];

/** @throws a Failure for a response that is neither a token, nor a rejection, nor worth another attempt */
function interpretResponse(response: IncomingMessage, body: string, server: Server, credentials: Credentials): Outcome {
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
  // Retry after a web page with a 5xx status, as from a load balancer, but not with a 4xx, as from a captive portal.
  if (RETRYABLE.includes(status) && !(isPage && status < 500)) return { kind: 'transient', problem, details, wait };
  if (status >= 300 && status < 400 && headers.location)
    throw interception(endpoint, `answered with a redirect to ${excerpt(headers.location)} (${status})`);
  const what = isPage ? 'a web page' : body ? 'something other than a JSON object' : 'an empty response';
  if (!json) throw interception(endpoint, `answered with ${what} (status ${status})`);
  if (status >= 400 && status < 500) {
    const codes = [json['error'], json['errorCode'], json['code']].filter((code) => typeof code !== 'object');
    // Quote the message, so that diagnose() can tell whether it is just "invalid_request", which says nothing specific.
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

/** Masks secrets in a string, and any piece of a secret that is at least six characters long. */
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

/** An error from a name lookup (`hostname`), a connection (`address`), or a proxy's tunnel (`statusCode`). */
type SocketError = NodeJS.ErrnoException & { hostname?: string; address?: string; port?: number; statusCode?: number };

/**
 * Classifies the error from an attempt.
 * @returns a TransientOutcome if another attempt may succeed
 * @throws a Failure for any other error, or the error itself if it is a bug here
 */
async function classifyError(error: unknown, server: Server): Promise<TransientOutcome> {
  if (error instanceof Failure || error instanceof TypeError) throw error; // A TypeError is a bug here: show its stack.
  const { name, code, message, statusCode, hostname, address = '', port } = error as SocketError;
  const { host } = server.endpoint;
  const cause = `${code ?? clean(message)}${statusCode ? `, status ${statusCode}` : ''}`;
  const transient = (problem: string): TransientOutcome => ({ kind: 'transient', problem, details: [server.hint] });
  if (name === 'AbortError') return transient(`${host} did not respond within 15 seconds`);
  if (code?.startsWith('HPE_')) throw interception(server.endpoint, `did not respond with valid HTTP (${code})`);
  if (code === 'ECONNRESET' || code === 'EPIPE') return transient(`${host} closed the connection`);
  // Match codes such as CERT_HAS_EXPIRED and UNABLE_TO_GET_ISSUER_CERT, but not ERR_SSL_…, which is a failed handshake.
  if (code && /^(?!ERR_SSL_).*(CERT|ISSUER|SIGNATURE)/.test(code)) throw await certificateFailure(code, server);

  const peer = hostname ?? (address ? `${address.includes(':') ? `[${address}]` : address}:${port}` : host);
  const problem = `Cannot ${hostname ? 'resolve' : 'connect to'} ${peer} (${cause})`;
  if (/^(EAI_AGAIN|ETIMEDOUT|E(HOST|NET)(DOWN|UNREACH))$/.test(cause)) return transient(problem);
  throw new Failure(1, `${problem}.`, server.hint);
}

/**
 * Explains a certificate error.
 * @param code from OpenSSL or Node
 */
async function certificateFailure(code: string, { endpoint, proxy, hint }: Server): Promise<Failure> {
  // The error does not say whose certificate is at fault. It is the proxy's if connecting to the proxy alone fails in
  // the same way.
  const request = proxy?.protocol === 'https:' && https.get(proxy.origin, { signal: AbortSignal.timeout(5_000) });
  const isProxyCert = request && (await once(request, 'response').catch((error) => error.code)) === code;
  const peer = isProxyCert ? `the proxy ${proxy?.host}` : endpoint.host;
  const sentence = (fault: string) => `The certificate of ${peer} ${fault} (${code}). Your credentials were not sent.`;
  const clock = 'Check the date and time on this computer.';
  if (/EXPIRED|NOT_YET_VALID/.test(code)) return new Failure(1, sentence('has expired or is not valid yet'), clock);
  if (/ALTNAME/.test(code) && !isProxyCert) return interception(endpoint, `sent the wrong certificate (${code})`);
  if (/ALTNAME/.test(code)) return new Failure(1, sentence('is for another host'), hint);
  const remedy = `If your company inspects TLS traffic, set NODE_USE_SYSTEM_CA=1 (Node 22.19+ or
24.6+), or set NODE_EXTRA_CA_CERTS to a file with your company's CA certificate.`;
  return new Failure(1, sentence('is not trusted'), remedy);
}

/**
 * Works out what a rejection means, from its text or from its number in Zoom's list of OAuth error messages.
 * @returns the credentials that may be wrong, and what to tell the user
 */
function diagnose(text: string, marketplace: string): { suspects: readonly CredentialName[]; advice: string[] } {
  const account = ['ZOOM_ACCOUNT_ID'] as const;
  const client = ['ZOOM_CLIENT_ID', 'ZOOM_CLIENT_SECRET'] as const;
  const mismatch = 'ZOOM_CLIENT_ID or ZOOM_CLIENT_SECRET is wrong, or they belong to different apps.';
  const wrongType = 'The app is not a Server-to-Server OAuth app, or is not activated.';
  const page = `App Credentials at ${marketplace}`;
  const causes: [pattern: RegExp, suspects: readonly CredentialName[], problem: string, remedy: string][] = [
    [/by admin|\b4738\b/i, [], 'An administrator has disabled the app.', 'Ask an administrator to allow it again.'],
    [/\bowner\b|\b4735\b/i, [], 'The owner of the app no longer exists.', `Assign a new owner at ${marketplace}.`],
    [/disabled|\b4717\b/i, client, 'The app with this ZOOM_CLIENT_ID is disabled.', `Activate it at ${marketplace}.`],
    [/grant.type|\b4705\b/i, client, wrongType, `Check its type and activation at ${marketplace}.`],
    [/invalid.client|client.(id|secret)|\b470[246]\b/i, client, mismatch, `Compare both with ${page}.`],
    // Use these only if Zoom says nothing more specific.
    [/"(bad |invalid_)request"/i, account, 'ZOOM_ACCOUNT_ID is probably wrong.', `Compare it with ${page}.`],
    [/^/, CREDENTIAL_NAMES, 'The cause is not known.', `Compare all three credentials with ${page}.`],
  ];
  const [, suspects, ...advice] = causes.find(([pattern]) => pattern.test(text))!; // The first match counts.
  return { suspects, advice };
}

/** Returns Zoom's response as JSON, with expires_at added at the top. */
function toJson({ json, expires }: TokenResponse): string {
  // JSON.stringify leaves DEL and C1 control characters unescaped, and terminals may act on them.
  const toEscape = (char: string) => `\\u00${char.charCodeAt(0).toString(16)}`;
  return `${JSON.stringify({ expires_at: expires, ...json }, null, 2).replace(/[\x7f-\x9f]/g, toEscape)}\n`;
}

/** Copies the token, then prints it and its scopes, line for line like Zoom's s2s.js ("Oauth" included). */
async function present({ token, scopes, expires }: TokenResponse, { marketplace }: Server): Promise<void> {
  for (const name of CREDENTIAL_NAMES) delete process.env[name]; // Clipboard commands inherit the environment.
  const whyNotCopied = whyNoClipboard() ?? (await copy(token));
  const heading = `Zoom Server-to-Server Oauth token${whyNotCopied ? '' : ' copied to clipboard'}:`;
  await print(['', heading, '-'.repeat(54), token, '', 'Scopes:', '-------', ...scopes, ''].join('\n'));

  const notes = whyNotCopied ? [`Cannot use the clipboard (${whyNotCopied}).`, await copyByTerminal(token)] : [];
  if (!scopes.length) notes.push('The token has no scopes.', `Add some at ${marketplace} and run s2s again.`);
  if (expires) notes.push(`Expires at ${clockTime(expires)}.`);
  if (notes.length && process.stdout.isTTY && process.stderr.isTTY) say(''); // Separate them from the scopes.
  notes.forEach(say);
}

/** Copies the token to the clipboard. Returns the reason if that fails or takes too long. */
async function copy(token: string): Promise<string | undefined> {
  // Wait longer for the clipboard commands of Windows, which start slowly.
  const limit = process.platform === 'win32' || process.env['WSL_DISTRO_NAME'] ? 15_000 : 5_000;
  const written = import('clipboardy').then(({ default: clipboard }) => clipboard.write(token));
  return Promise.race([written.then(() => undefined, whyCopyFailed), sleep(limit, 'the clipboard command timed out')]);
}

/** What clipboardy throws: the error from one clipboard command, or an error that wraps those from two. */
type ClipboardError = Error & { stderr?: string; xselError?: { stderr?: string }; fallbackError?: { stderr?: string } };

/** Returns why copying failed: what to install if the clipboard command is missing, or else its own message. */
function whyCopyFailed({ message, stderr, xselError, fallbackError }: ClipboardError): string {
  const { PATH = '', WAYLAND_DISPLAY } = process.env;
  // Look for wl-copy here, because clipboardy reports only why its next choices failed: xsel, and its own xsel.
  const hasWlCopy = PATH.split(delimiter).some((folder) => fs.existsSync(join(folder, 'wl-copy')));
  if (WAYLAND_DISPLAY && fallbackError) return hasWlCopy ? 'wl-copy failed' : 'install wl-clipboard';
  // clipboardy's own xsel runs only on x86-64 processors, so its error counts only if it is about the display.
  const [, missing] = /^Couldn't find.*\bapt install ([\w-]+)/.exec(message) ?? [];
  if (missing && !/open display/.test(fallbackError?.stderr ?? '')) return `install ${missing}`;
  return clean(xselError?.stderr || stderr || fallbackError?.stderr || '') || clean(message.split(/\.\s|\n/)[0] ?? '');
}

/** Returns why there is no clipboard here, judging by the environment, or undefined. */
function whyNoClipboard(): string | undefined {
  const { DISPLAY = '', SSH_CONNECTION, SSH_TTY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = process.env;
  const isLinux = process.platform === 'linux';
  // A forwarded X11 display ("localhost:10.0") is the user's own. Any other belongs to the remote machine, as does the
  // Wayland display, which clipboardy prefers.
  const isForwarded = isLinux && /^[^:]/.test(DISPLAY) && !WAYLAND_DISPLAY;
  if ((SSH_CONNECTION || SSH_TTY) && !isForwarded) return 'this is an SSH session';
  return isLinux && !DISPLAY && !WAYLAND_DISPLAY && !WSL_DISTRO_NAME ? 'there is no display' : undefined;
}

/** Copies the token by way of tmux or the terminal. Returns what was done, or what is left to do. */
async function copyByTerminal(token: string): Promise<string> {
  const { STY, TERM = '', TMUX } = process.env;
  const { spawnSync } = await import('node:child_process');
  // tmux does not pass on OSC 52 unless set-clipboard is "on", but `load-buffer -w` (tmux 3.2 or later) sends it to the
  // outer terminal.
  const tmux = TMUX && spawnSync('tmux', ['load-buffer', '-w', '-'], { input: token, timeout: 5_000 });
  if (tmux && tmux.status === 0) return 'Copied the token to a tmux buffer, and asked your terminal to copy it.';
  // GNU screen prints an OSC 52 sequence too long for its buffer. tmux, whose TERM may also be "screen", does not.
  const isScreen = STY || (/^screen(\.|$)/.test(TERM) && !TMUX);
  if (!process.stdout.isTTY || TERM === 'dumb' || isScreen) return 'Copy the token from the output.';
  await print(`\x1b]52;c;${Buffer.from(token).toString('base64')}\x07`);
  return 'Asked your terminal to copy the token.';
}

/** Writes to stdout and waits for it to be flushed. A closed pipe is not an error. */
async function print(text: string): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((done) => process.stdout.write(text, done));
  if (error && error.code !== 'EPIPE') throw new Failure(1, `Cannot write to stdout: ${reasonOf(error)}.`);
}

/** Prints a message on stderr; stdout is for the result. */
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Makes untrusted text safe to print: short, on one line, without escape sequences or control characters. Shortens it
 * first, because in Node 20 stripVTControlCharacters() takes minutes for some long strings.
 */
const clean = (text: string) =>
  stripVTControlCharacters(text.slice(0, 999)).replace(/\s+/g, ' ').replace(/\p{C}/gu, '').trim();

/** Quotes a file name for a POSIX shell, if that is necessary. */
const quoteForShell = (name: string) =>
  /^[\w./][\w./-]*$/.test(name) ? name : `'${name.replaceAll("'", String.raw`'\''`).replace(/^-/, './-')}'`;

/** Joins names: "A", "A and B", "A, B, and C". */
const joinNames = (names: readonly string[]) => new Intl.ListFormat('en').format(names);

/** Formats a number and its unit: "1 second", "2 seconds". */
const quantity = (number: number, unit: string) => `${number} ${unit}${number === 1 ? '' : 's'}`;

const fromNow = (seconds: number) => new Date(Date.now() + seconds * 1000);

/** Formats a future time: "15:04, in 60 minutes", "15:04, in 3 hours", or "15:04 on Tue Nov 24 2026". */
function clockTime(date: Date): string {
  const minutes = Math.ceil((date.getTime() - Date.now()) / 60_000);
  const distance = minutes <= 120 ? quantity(minutes, 'minute') : quantity(Math.round(minutes / 60), 'hour');
  return `${date.toTimeString().slice(0, 5)}${minutes < 1440 ? `, in ${distance}` : ` on ${date.toDateString()}`}`;
}

/** Returns the reason for a system error, such as "permission denied". */
const reasonOf = (error: unknown) =>
  getSystemErrorMap().get((error as NodeJS.ErrnoException).errno ?? 0)?.[1] ?? (error as Error).message;

for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {}); // print() reports what matters.
// Handle signals even if no cleanup is needed: PID 1 of a container ignores a signal that has no handler.
const untilSignal = new Promise<never>((_, reject) => {
  process.once('SIGINT', () => reject(new Failure(130, 'Cancelled.')));
  process.once('SIGTERM', () => reject(new Failure(143)));
});
await Promise.race([main(untilSignal), untilSignal]).catch((error: unknown) => {
  if (!(error instanceof Failure)) throw error;
  if (error.message) say(error.message);
  process.exitCode = error.exitCode;
});
// Flush stderr, then exit even if something is still running, such as a clipboard command that hangs.
process.stderr.write('', () => {
  // A signal that arrived has no handler left, because of once(). Re-raise it: process.exit() waits for a name lookup,
  // which may take half a minute. In raw mode, which a prompt sets, rely on process.exit(), which resets the terminal.
  const signal = (['SIGINT', 'SIGTERM'] as const).find((name) => !process.listenerCount(name));
  if (signal && !process.stdin.isRaw && process.platform !== 'win32') process.kill(process.pid, signal);
  process.exit();
});
