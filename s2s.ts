#!/usr/bin/env node
/** main() tells the story, and the functions follow in order of use. Only the result goes to stdout. */

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { dirname, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { parse } from 'dotenv';

const { env, platform, stderr, stdout } = process;

const USAGE = `Get a one-hour access token for the Zoom API (Server-to-Server OAuth).

Usage: s2s [--token | --json]    (or npx tsx s2s.ts)

  (no flag)      copy the token, and print it with its scopes
  --token        print only the token
  --json         print Zoom's response as JSON, plus expires_at
  -h, --help     show this help
  -v, --version  show the version

Environment variables (ZOOM_* also in .env):
  ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET
  ZOOM_HOST      zoomgov.com for Zoom for Government
  DOTENV_PATH    a file to use instead of .env
  HTTPS_PROXY    an HTTP proxy; hosts in NO_PROXY bypass it

Exit codes: 1 failure, 2 usage or settings error, 130 cancelled, 143 terminated
`;

async function main() {
  const flags = readFlags();
  if (flags.help) return print(USAGE);
  if (flags.version) return print(`${readVersion()}\n`);

  const settings = await readSettings();
  const server = serverFor(settings);
  const willCopy = !flags.token && !flags.json && hasClipboard();
  // Load clipboardy while Zoom responds, which saves 150 ms.
  if (willCopy) server.onSent = () => void import('clipboardy').catch(() => {});
  const response = await getToken(settings, server);

  if (flags.token) await print(`${response.access_token}\n`);
  else if (flags.json) await print(toJson(response));
  else await present(response, server, willCopy && (await copy(response.access_token)));
}

/** An expected error, and what to do about it. */
class Failure extends Error {
  exitCode: number;
  advice: string[];

  constructor(exitCode: number, message: string, ...advice: string[]) {
    super(message);
    this.exitCode = exitCode;
    this.advice = advice;
  }
}

/** Rejects on a signal, with exit code 128 plus its number. Without a handler, PID 1 of a container would ignore it. */
const interrupted = new Promise<never>((_, reject) => {
  process.on('SIGINT', () => reject(new Failure(130, 'Cancelled.')));
  process.on('SIGTERM', () => reject(new Failure(143, 'Terminated.')));
});

/** Zoom rejected the request. getToken() prompts again. */
class Rejection extends Failure {}

/** Another attempt may succeed. */
class TemporaryFailure extends Failure {
  retryAfter: number | undefined; // Seconds
}

/** In the order of the prompts. */
const NAMES = ['ZOOM_ACCOUNT_ID', 'ZOOM_CLIENT_ID', 'ZOOM_CLIENT_SECRET'] as const;
type Name = (typeof NAMES)[number];
/** An empty string stands for a missing credential. */
type Credentials = Record<Name, string>;

type Settings = { credentials: Credentials; fromEnv: Name[]; hostInFile: string; file: string };

/** How to request a token. `hint` says what to check if that fails. */
type Server = { endpoint: URL; agent?: https.Agent; hint: string; marketplace: string; onSent?: () => void };

type TokenResponse = Record<string, unknown> & { access_token: string };

function readFlags() {
  const flag = { type: 'boolean' } as const;
  const options = { token: flag, json: flag, help: { ...flag, short: 'h' }, version: { ...flag, short: 'v' } };
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    // Don't repeat the argument, which may be a secret.
    if (positionals.length) throw new Error('Unexpected argument');
    if (values.token && values.json) throw new Error('--token and --json cannot be used together');
    return values;
  } catch (error) {
    // Drop Node's second sentence, which does not apply.
    throw new Failure(2, `${(error as Error).message.split('. ')[0]}. For help, use --help.`);
  }
}

const readVersion = () => JSON.parse(fs.readFileSync(new URL('package.json', import.meta.url), 'utf8')).version;

/** Takes the credentials out of the environment, so that child processes don't inherit them. */
async function readSettings() {
  const file = env['DOTENV_PATH'] || '.env';
  const inFile = await readDotenv(file);
  const fromEnv = NAMES.filter((name) => cleanValue(name, env[name]));
  const credentials = {} as Credentials;
  const advice = 'Correct it or, if it is a reference (op://…), run s2s through a tool such as op run.';
  for (const name of NAMES) {
    const [place, text] = fromEnv.includes(name) ? ['the environment', env[name]] : [file, inFile[name]];
    credentials[name] = cleanValue(name, text);
    const flaw = findFlaw(credentials[name]);
    if (flaw) throw new Failure(2, `${name} in ${place} ${flaw}, so it is not a credential.`, advice);
    delete env[name];
  }
  // Ignore references (op://…).
  const overridden = fromEnv.filter(
    (name) => inFile[name] && inFile[name] !== credentials[name] && !findFlaw(inFile[name]),
  );
  if (overridden.length) say(`The environment overrides ${overridden.join(', ')} in ${file}.`);
  return { credentials, fromEnv, hostInFile: inFile['ZOOM_HOST'] ?? '', file };
}

/** Returns an empty object if the file cannot be read. */
async function readDotenv(file: string) {
  // readFileSync() of a named pipe would block signals.
  const bytes = await fs.promises.readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') say(`Cannot read ${file}: ${reasonOf(error)}.`);
    return Buffer.alloc(0);
  });
  if (bytes.includes(0)) throw new Failure(2, `${file} is not UTF-8 text (it may be UTF-16).`, 'Save it as UTF-8.');
  return parse(bytes);
}

/** The maximum length of a credential with its label. Zoom's have up to 32 characters. */
const MAX_LENGTH = 200;

/**
 * Strips what may surround a credential: white space, invisible characters, quotes, a comma or semicolon at the end,
 * and a label, as in `export ZOOM_CLIENT_ID=…`, `"client_id": "…"`, and `Client ID: …`.
 */
function cleanValue(name: Name, text = '') {
  if (text.length > MAX_LENGTH) return text; // findFlaw() refuses it.
  const words = name.replace('ZOOM_', '').replace('_', '[ _-]?');
  const label = new RegExp(`^[^=:]*${words}["']?\\s*[=:]`, 'i');
  return text.replace(label, '').replace(/^[\s\p{Cf}"'`“]+|[\s\p{Cf}"'`”,;]+$/gu, '');
}

/** Says why a value cannot be a credential, which is a short string of token characters (RFC 6750, section 2.1). */
function findFlaw(value: string) {
  if (value.length > MAX_LENGTH) return 'is too long';
  const [char] = /[^\w.~+/=-]|=(?=[^=])/u.exec(value) ?? []; // "=" may stand only at the end.
  if (char === undefined) return undefined;
  const codePoint = char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  const what = char === ' ' ? 'a space' : /[!-~]/.test(char) ? `"${char}"` : `U+${codePoint}`;
  return `contains ${what}`;
}

/** Returns where to request the token: from Zoom or, for tests, this machine. */
function serverFor({ hostInFile, file }: Settings): Server {
  const hostInEnv = env['ZOOM_HOST']?.trim();
  const host = hostInEnv || hostInFile.trim() || 'zoom.us';
  const text = host.includes('://') ? host : `https://${host}`;
  const { protocol = '', hostname = '' } = URL.canParse(text) ? new URL(text) : {};
  const isZoom = protocol === 'https:' && /(^|\.)(zoom\.us|zoomgov\.com)$/.test(hostname);
  const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  // Don't let the dotenv file of a cloned repository redirect the request.
  if (!isZoom && !(isLocal && hostInEnv)) {
    // Don't repeat the host, which may hold a secret if a quote is missing.
    const problem = `ZOOM_HOST in ${hostInEnv ? 'the environment' : file} is invalid.`;
    throw new Failure(2, problem, 'Set it to zoom.us or zoomgov.com, or unset it.');
  }
  const marketplace = `https://marketplace.${hostname.endsWith('zoomgov.com') ? 'zoomgov.com' : 'zoom.us'}/`;
  const route = isZoom ? chooseRoute() : { hint: `Check ZOOM_HOST (${text}).` };
  return { endpoint: new URL('/oauth/token', text), marketplace, ...route };
}

function chooseRoute() {
  const variable = ['https_proxy', 'HTTPS_PROXY'].find((name) => env[name]?.trim());
  if (!variable) return { hint: 'Check your network, VPN, and firewall, or set HTTPS_PROXY.' };
  // Versions with this flag also support proxyEnv.
  if (!process.allowedNodeEnvironmentFlags.has('--use-env-proxy'))
    return { hint: `${variable} needs Node 22.21+ or 24.5+.` };
  const text = env[variable]!.trim();
  const NO_PROXY = (env['no_proxy'] || env['NO_PROXY'])?.trim().replace(/[\s,]+/g, ','); // Node splits only at commas.
  const format = 'http://user:password@host:port, with the password percent-encoded';
  try {
    const { href, host } = new URL(text.includes('://') ? text : `http://${text}`);
    if (!/^https?:\/\/[^/?#]+\/$/.test(href)) throw new Error();
    const hint = `Check ${variable} (${host}) and NO_PROXY. The format is ${format}.`;
    return { agent: new https.Agent({ proxyEnv: { HTTPS_PROXY: href, NO_PROXY } }), hint };
  } catch {
    // Don't show the error: it may hold a password.
    throw new Failure(2, `${variable} is not the URL of an HTTP proxy.`, `Set it to ${format}.`);
  }
}

/** Gets a token, prompting for credentials that are missing or rejected. Saves what Zoom does not reject. */
async function getToken(settings: Settings, server: Server) {
  let credentials = await promptForMissing(settings, server);
  const shown: string[] = [];
  // On a signal, stop waiting, but still save what was typed.
  const request = () => Promise.race([requestToken(server, credentials), interrupted]).catch((error: Error) => error);
  let outcome = await request();
  while (outcome instanceof Rejection) {
    credentials = await promptAgain(outcome, credentials, settings, shown);
    outcome = await request();
  }
  save(credentials, settings);
  if (outcome instanceof Error) throw outcome;
  return outcome;
}

async function promptForMissing({ credentials, file }: Settings, { marketplace }: Server) {
  const missing = NAMES.filter((name) => !credentials[name]);
  if (!missing.length) return credentials;
  const problem = `Not set in the environment or in ${resolve(file)}: ${missing.join(', ')}.`;
  const remedy = 's2s prompts only if stdin and stderr are terminals, and neither CI nor TERM=dumb is set.';
  if (!canPrompt()) throw new Failure(2, problem, remedy);
  if (!fs.existsSync(dirname(file))) throw new Failure(2, problem, `Create ${resolve(file, '..')} or fix DOTENV_PATH.`);
  const page = `${marketplace} under Developer (or Manage) > Created apps > your app > App Credentials`;
  const hint = missing.length === 3 ? ['You can paste them all at once, in this order, one per line.'] : [];
  return promptFor(missing, credentials, [problem, `See ${page}. ${savingNote(file)}`, ...hint]);
}

/** Prompts again, without repeating advice that was `shown`. */
async function promptAgain(rejection: Rejection, current: Credentials, { fromEnv, file }: Settings, shown: string[]) {
  // If the environment sets some values, prompt once, for others that the explanation names.
  const suspects = NAMES.filter((name) => !fromEnv.length || rejection.advice.join().includes(name));
  const names = suspects.filter((name) => !fromEnv.includes(name));
  const advice = `s2s does not prompt for what the environment sets: ${fromEnv.join(', ')}. Fix or unset what is wrong.`;
  if (fromEnv.length) rejection.advice.push(advice);
  else if (!canPrompt()) rejection.advice.push(`The values are in ${resolve(file)}.`);
  if (!names.length || !canPrompt() || (fromEnv.length && shown.length)) throw rejection;
  const keep = `Press Enter to keep a value, or type another${fromEnv.length ? '' : ', or paste all at once'}.`;
  rejection.advice.push(keep, savingNote(resolve(file)));
  const newAdvice = rejection.advice.filter((line) => !shown.includes(line));
  shown.push(...newAdvice);
  return promptFor(names, current, [rejection.message, ...newAdvice]);
}

const NOT_SAVED = 'NODE_ENV is "production", so nothing is saved. Set the values in the environment instead.';
const savingNote = (file: string) => (isProduction() ? NOT_SAVED : `s2s saves your answers in ${file}.`);

const canPrompt = () =>
  process.stdin.isTTY && stderr.isTTY && ['', 'false'].includes(env['CI'] ?? '') && env['TERM'] !== 'dumb';

/** Prompts for credentials, offering the current values. Returns all three. */
async function promptFor(names: Name[], current: Credentials, lines: string[]) {
  process.stdin.setRawMode(true); // First, so that a secret pasted early is not echoed.
  say(...lines);
  if (env['NO_COLOR']) env['NODE_DISABLE_COLORS'] = '1'; // prompts does not know NO_COLOR.
  const { default: prompts } = await import('prompts');
  const stdin = new PassThrough(); // On process.stdin, prompts would end raw mode after each answer.
  const onData = (data: Buffer): void => {
    if (data.includes(3)) return void process.emit('SIGINT'); // Ctrl-C
    // Treat the end of a line and blank lines after it as one Enter: a second one would answer the next prompt.
    const text = String(data).replace(/([^\r\n])[\r\n]+/g, '$1\r');
    // Pass on each line of a paste in its own callback: in between, prompts asks the next question.
    for (const line of text.split(/(?<=[\r\n])/)) setImmediate(() => stdin.write(line));
  };
  // Replace an earlier call's listener. Read until s2s exits, so that the rest of a paste does not reach the shell.
  process.stdin.removeAllListeners('data').on('data', onData).resume();
  const questions = names.map((name) => ({ ...questionFor(name, current[name]), stdin, stdout: stderr }));
  const answers = await prompts(questions, { onCancel: () => Promise.reject(new Failure(130, 'Cancelled.')) });
  return { ...current, ...answers };
}

/** Returns the question for a credential. Masks whatever cannot be one of Zoom's IDs (22 characters). */
function questionFor(name: Name, initial: string) {
  const format = (text: string) => cleanValue(name, text);
  const validate = (text: string) => {
    const flaw = findFlaw(format(text));
    return flaw ? `This ${flaw}. Ctrl-U clears it.` : format(text) !== '' || 'Enter a value.';
  };
  const mayShow = (value: string) => name !== 'ZOOM_CLIENT_SECRET' && value.length <= 22 && !findFlaw(value);
  const mask = (text: string, hides: boolean) => (hides ? '*'.repeat(text.length) : text);
  let isMasked = false;
  function onRender(this: TextPrompt, { gray }: { gray: (text: string) => string }) {
    if (this.firstRender) changeKeys(this);
    // Stay masked until the value is cleared: Backspace must not reveal a secret.
    isMasked = this.value !== '' && (isMasked || !mayShow(format(this.value)));
    this.rendered = this.placeholder ? gray(`(${mask(initial, !mayShow(initial))})`) : mask(this.value, isMasked);
    // prompts shows a message while `error` is set, but the next key resets only `red`.
    this.error = this.red;
    // At Ctrl-A and Ctrl-E, prompts moves only `cursor`.
    this.cursorOffset = Math.min(0, this.cursor - this.value.length);
  }
  return { type: 'text' as const, name, message: name, initial, format, validate, onRender };
}

/** Undocumented parts of prompts, which package.json pins. */
type TextPrompt = Record<'value' | 'rendered', string> &
  Record<'cursor' | 'cursorOffset', number> &
  Record<'error' | 'firstRender' | 'placeholder' | 'red', boolean> &
  Record<'first' | 'last' | 'reset' | '_', (text?: string) => void>;

/** Adds Home, End, Ctrl-U, and Ctrl-W to a prompt. Ignores unknown keys, and text beyond MAX_LENGTH. */
function changeKeys(prompt: TextPrompt) {
  // prompts calls this for text and unknown keys.
  const insert = prompt._.bind(prompt);
  prompt._ = (text = '') => {
    prompt.red = false; // For Ctrl-U and Ctrl-W: reset() does not clear it.
    if (['\x15', '\x17'].includes(text)) prompt.reset();
    else if (/^\P{Cc}+$/u.test(text) && prompt.value.length <= MAX_LENGTH) insert(text);
  };
  // A Tab (`next`) becomes a space, so that two values don't run together.
  Object.assign(prompt, { home: prompt.first, end: prompt.last, next: () => prompt.value && prompt._(' ') });
}

/** Saves typed credentials, or says why not. Works synchronously, so that no signal interrupts it. */
function save(credentials: Credentials, { credentials: previous, file }: Settings) {
  const typed = NAMES.filter((name) => credentials[name] !== previous[name]);
  if (!typed.length || isProduction()) return;
  const names = typed.join(', ');
  try {
    updateFile(file, typed, credentials);
  } catch (error) {
    return say(`Cannot save ${names} in ${file}: ${reasonOf(error as Error)}.`, 'The next run will prompt again.');
  }
  say(`Saved${typed.length < 3 ? ` ${names}` : ''} in ${file}.`);
  if (platform !== 'win32' && fs.statSync(file).mode & 0o44) say(`Others can read ${file}. Run chmod 600 ${file}.`);
  const target = fs.realpathSync(file);
  const args = ['-C', dirname(target), 'check-ignore', '--quiet', '--', target];
  // Don't start git in the current folder: Windows would prefer a git.exe there.
  const { status } = spawnSync('git', args, { cwd: import.meta.dirname, timeout: 5_000 });
  if (status === 1) say(`Git does not ignore ${file}. Add it to .gitignore. If tracked, run git rm --cached ${file}.`);
}

const isProduction = () => env['NODE_ENV']?.trim().toLowerCase() === 'production';

function updateFile(file: string, names: Name[], credentials: Credentials) {
  const old = fs.statSync(file, { throwIfNoEntry: false });
  if (old && !old.isFile()) throw new Error('it is not a regular file');
  const before = old ? fs.readFileSync(file, 'latin1') : ''; // Latin-1 keeps every byte.
  const after = names.reduce((text, name) => withValue(text, name, credentials[name]), before);
  if (old) replaceFile(fs.realpathSync(file), Buffer.from(after, 'latin1'), old);
  else fs.writeFileSync(file, after, { mode: 0o600 });
}

/**
 * Sets a value in the text of a dotenv file. Tries to replace it in the last line that assigns it, then to append a
 * line. Returns the first result in which dotenv sees this change and no other. A credential needs no quotes.
 */
function withValue(text: string, name: Name, value: string) {
  // [^!-~] matches a BOM, too. In "KEY= # note", the blank must stay before the note.
  const start = String.raw`(?<start>[^!-~]*(export\s+)?${name}\s*[=:](\s+(?=[^\s#]))?)`;
  const entry = new RegExp(String.raw`^${start}("[^"]*"|'[^']*'|[^\s#]*)`);
  const lines = text.split('\n');
  const last = lines.findLastIndex((line) => entry.test(line));
  const replaced = lines.map((line, i) => (i === last ? line.replace(entry, `$<start>${value}`) : line));
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const appended = `${text}${text && !text.endsWith('\n') ? newline : ''}${name}=${value}${newline}`;
  const wanted = { ...parseLatin1(text), [name]: value };
  const result = [replaced.join('\n'), appended].find((after) => isDeepStrictEqual(parseLatin1(after), wanted));
  if (result === undefined) throw new Error('dotenv would read back something else');
  return result;
}

/** dotenv decodes the bytes as UTF-8. */
const parseLatin1 = (text: string) => parse(Buffer.from(text, 'latin1'));

/** Replaces a file atomically, keeping owner and mode, or overwrites it if that fails, as at a mount point. */
function replaceFile(path: string, bytes: Buffer, old: fs.Stats) {
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    fs.writeFileSync(temporary, bytes, { mode: 0o600 });
    fs.chownSync(temporary, old.uid, old.gid);
    fs.chmodSync(temporary, old.mode);
    fs.renameSync(temporary, path);
  } catch (error) {
    // A virus scanner may hold the file. maxRetries needs `recursive`.
    fs.rmSync(temporary, { force: true, recursive: true, maxRetries: 5 });
    // On a full disk, overwriting would lose the old text. Node calls EDQUOT unknown.
    if (/^(ENOSPC|Unknown)/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    fs.writeFileSync(path, bytes, { flag: 'r+' }); // Unlike 'w', does not empty the file.
    fs.truncateSync(path, bytes.length);
  }
}

/** Tries up to three times, for 15 seconds each. Gives up if Retry-After exceeds 30 seconds. */
async function requestToken(server: Server, credentials: Credentials) {
  for (let attempt = 1; ; attempt++) {
    try {
      // After 15 seconds, abandon the request: Node cannot always abort it.
      const reply = await Promise.race([send(server, credentials), sleep(15_000)]);
      if (reply) return interpret(reply.response, reply.body, server, credentials);
      throw new TemporaryFailure(1, `${server.endpoint.host} did not respond within 15 seconds.`, server.hint);
    } catch (error) {
      if (!(error instanceof TemporaryFailure)) throw error;
      const seconds = error.retryAfter ?? attempt;
      if (attempt === 3 || seconds > 30) throw error;
      say(`${error.message} Retrying in ${quantity(seconds, 'second')}.`);
      await sleep(seconds * 1000);
    }
  }
}

/** Sends one token request. */
async function send(server: Server, credentials: Credentials) {
  const { agent = false, endpoint, onSent } = server; // `false` opens a new connection each time.
  const { ZOOM_ACCOUNT_ID: account_id, ZOOM_CLIENT_ID: id, ZOOM_CLIENT_SECRET: secret } = credentials;
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const autoSelectFamilyAttemptTimeout = 2_500; // Node's 250 or 500 ms are too short for slow networks.
  const options = { method: 'POST', auth: `${id}:${secret}`, headers, agent, autoSelectFamilyAttemptTimeout };
  const notice = setTimeout(() => stderr.isTTY && say(`Waiting for ${endpoint.host} …`), 3_000);
  try {
    const client = endpoint.protocol === 'http:' ? http : https;
    const request = client.request(endpoint, options).once('finish', () => onSent?.());
    request.on('error', () => {}); // Don't let Node throw what the code below reports.
    request.end(String(new URLSearchParams({ grant_type: 'account_credentials', account_id })));
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let body = '';
    for await (const chunk of response.setEncoding('utf8')) {
      body += chunk;
      if (body.length > 2 ** 20) break; // Zoom's are far shorter.
    }
    return { response, body };
  } catch (error) {
    throw explainError(error as Error, server);
  } finally {
    clearTimeout(notice);
  }
}

const CERTIFICATE_ADVICE: [RegExp, string][] = [
  [/EXPIRED|NOT_YET_VALID/, "has expired or is not valid yet. Check this computer's clock."],
  [/ALTNAME/, 'belongs to another host, perhaps a captive portal. Try another network.'],
  [/CERT(_|$)|LEAF/, 'is not trusted. If your company inspects TLS, set NODE_USE_SYSTEM_CA=1 or NODE_EXTRA_CA_CERTS.'],
];

function explainError(error: Error & { code?: string; statusCode?: number }, { endpoint, hint }: Server) {
  const { code, statusCode } = error;
  if (!code) return error; // Without a code, it is a bug: show its stack.
  const problem = `Cannot reach ${endpoint.host} (${code}${statusCode ? `, status ${statusCode}` : ''}).`;
  if (statusCode === 407) return new Failure(1, problem, 'The proxy requires a user name and password.', hint);
  // Like curl, don't retry after a refused connection.
  const temporary = /^(EAI_AGAIN|ECONNRESET|EPIPE|ETIMEDOUT|E(HOST|NET)(DOWN|UNREACH))$/;
  if (temporary.test(code)) return new TemporaryFailure(1, problem, hint);
  const advice = CERTIFICATE_ADVICE.find(([pattern]) => pattern.test(code))?.[1];
  return new Failure(1, problem, advice ? `Its certificate ${advice} Your credentials were not sent.` : hint);
}

/** What rejections mean. The first pattern that matches Zoom's texts applies. */
const REJECTIONS: [RegExp, string][] = [
  [/by admin|\b4738\b/i, 'An administrator must enable the app again'],
  [/\bowner\b|\b4735\b/i, 'The owner of the app no longer exists. Assign a new owner'],
  [/disabled|\b4717\b/i, 'The app with this ZOOM_CLIENT_ID is disabled. Activate it'],
  [/grant.type|\b4705\b/i, 'The app is not a Server-to-Server OAuth app, or it is not activated. Check both'],
  [/client|\b470[246]\b/i, 'ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET do not match. Compare both with App Credentials'],
  [/^(bad |invalid_)request/i, 'ZOOM_ACCOUNT_ID is most likely wrong. Compare it with App Credentials'],
];

/** Returns the token response, or throws a Failure that explains any other response. */
function interpret(response: http.IncomingMessage, body: string, server: Server, credentials: Credentials) {
  const { statusCode: status = 0, headers } = response;
  const { endpoint, marketplace } = server;
  const json = parseJson(body);
  const { access_token: token } = json;
  // Accept printable ASCII (RFC 6749, A.12).
  if (status < 300 && typeof token === 'string' && /^[\x20-\x7e]+$/.test(token)) return json as TokenResponse;

  const keys = ['reason', 'errorMessage', 'error_description', 'message', 'error', 'errorCode', 'code'];
  const texts = keys.map((key) => json[key]).filter((text) => text && typeof text !== 'object');
  const answer = texts.length ? `"${quote(String(texts[0]), credentials)}" (${status})` : `status ${status}`;
  const { 'retry-after': after = '', 'x-zm-trackingid': trackingId } = headers;
  const details = trackingId ? [`Tracking ID (for Zoom support): ${quote(String(trackingId), credentials)}`] : [];
  const problem = `${endpoint.host} answered with ${answer}.`;
  if (status === 408 || status === 429 || status >= 500) {
    const seconds = /^[1-9]\d{0,8}$/.test(after) ? Number(after) : undefined;
    const wait = seconds ? quantity(Math.ceil(seconds / 60), 'minute') : 'a few minutes';
    const failure = new TemporaryFailure(1, problem, ...details, `Try again in ${wait}.`);
    throw Object.assign(failure, { retryAfter: seconds });
  }
  if (status >= 400 && texts.length) {
    const unknown = 'The cause is unclear. Compare all three values with App Credentials';
    const explanation = REJECTIONS.find(([pattern]) => pattern.test(texts.join(' ')))?.[1] ?? unknown;
    throw new Rejection(1, `Zoom rejected the request: ${answer}.`, ...details, `${explanation} at ${marketplace}.`);
  }
  const cause = 'A captive portal, proxy, or firewall may have answered instead of Zoom.';
  throw new Failure(1, problem, ...details, `${cause} Open ${endpoint.origin}/ in a browser, or try another network.`);
}

function parseJson(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

/** Masks the secrets in the server's text, then shortens it. */
function quote(text: string, { ZOOM_CLIENT_ID: id, ZOOM_CLIENT_SECRET: secret }: Credentials) {
  // Don't mask dummies, such as "secret", which may occur in Zoom's words.
  const secrets = [secret, btoa(`${id}:${secret}`)].filter(({ length }) => length >= 8);
  return secrets.reduce((line, hidden) => line.replaceAll(hidden, '***'), text).slice(0, 200);
}

function toJson(response: TokenResponse) {
  const json = JSON.stringify({ expires_at: expiryOf(response), ...response }, null, 2);
  // Don't let control characters (DEL, C1) reach a terminal.
  return `${json.replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`)}\n`;
}

function expiryOf({ expires_in }: TokenResponse) {
  const seconds = Number(expires_in);
  return seconds > 0 && seconds < 1e9 ? new Date(Date.now() + seconds * 1000) : undefined;
}

/** Prints the token and its scopes, line for line like s2s.js, then copies the token elsewhere and says how. */
async function present(response: TokenResponse, { marketplace }: Server, isCopied: boolean) {
  const { access_token: token, scope } = response;
  const words = [scope].flat().join(' '); // It may be a list or missing.
  const scopes = words.match(/[^\s\p{C}]+/gu) ?? [];
  const heading = `Zoom Server-to-Server Oauth token${isCopied ? ' copied to clipboard' : ''}:`;
  await print(['', heading, '-'.repeat(54), token, '', 'Scopes:', '-------', ...scopes, ''].join('\n'));

  if (stdout.isTTY && stderr.isTTY) stderr.write('\n'); // Separate the notes from the scopes.
  if (!scopes.length) say(`Zoom listed no scopes. Add some to the app at ${marketplace}, and run s2s again.`);
  const how = copyElsewhere(token, isCopied);
  const expiry = expiryOf(response);
  if (!expiry) return say(how);
  const minutes = quantity(Math.ceil((expiry.getTime() - Date.now()) / 60_000), 'minute');
  say(`${how} Expires at ${expiry.toTimeString().slice(0, 5)}, in ${minutes}.`);
}

function hasClipboard() {
  const { DISPLAY = '', SSH_CONNECTION, SSH_TTY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = env;
  // Over SSH, only a forwarded X11 display ("localhost:10.0") is the user's own. Wayland would be the server's.
  if (SSH_CONNECTION || SSH_TTY) return platform === 'linux' && !WAYLAND_DISPLAY && /^[^:]/.test(DISPLAY);
  return platform !== 'linux' || !!(DISPLAY || WAYLAND_DISPLAY || WSL_DISTRO_NAME);
}

/** Returns whether the token was copied. */
async function copy(token: string) {
  const written = import('clipboardy').then(({ default: clipboard }) => clipboard.write(token));
  const outcome = written.catch((error: Error) => error.message);
  const problem = await Promise.race([outcome, sleep(10_000, 'It did not respond within 10 seconds.')]);
  // Drop the rest of clipboardy's message. In tmux, copyElsewhere() takes over.
  if (problem && !env['TMUX']) say(`Cannot use the clipboard. ${problem.split('\n')[0]}`);
  return !problem;
}

/** Copies the token to tmux and, if nothing else worked, through the terminal. Returns how it was copied. */
function copyElsewhere(token: string, isCopied: boolean) {
  const { STY, TERM = '', TMUX } = env;
  // Do this even after copying: the user may have attached from another machine. `-w` (tmux 3.2+) sends OSC 52.
  const load = ['load-buffer', '-b', 's2s', '-w', '-'];
  const sentToTmux = TMUX && spawnSync('tmux', load, { input: token, timeout: 5_000 }).status === 0;
  if (isCopied) return `Copied to the clipboard${sentToTmux ? ' and tmux buffer s2s' : ''}.`;
  if (sentToTmux) return 'Copied to tmux buffer s2s and offered to your terminal.';
  // GNU screen shows a long OSC 52 sequence as text.
  const lacksOsc52 = !stderr.isTTY || STY || TERM === 'dumb' || (!TMUX && TERM.startsWith('screen'));
  if (lacksOsc52) return 'No clipboard is available, so the token was not copied.';
  stderr.write(`\x1b]52;c;${btoa(token)}\x07`);
  return 'Asked your terminal to copy the token.';
}

/** Writes to stdout, and waits for that. A closed pipe (`s2s | head`) is not an error. */
async function print(text: string) {
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((done) => stdout.write(text, done));
  if (error && error.code !== 'EPIPE') throw new Failure(1, `Cannot write to stdout: ${reasonOf(error)}.`);
}

/** Prints lines on stderr, wrapped to fit the terminal, without control characters. */
function say(...lines: string[]) {
  // Without a terminal, `columns` is undefined, and {1,} sets no limit.
  const row = new RegExp(`(.{1,${stderr.columns || ''}})( |$)`, 'g');
  for (const line of lines) stderr.write(line.replace(/\p{C}+/gu, ' ').replace(row, '$1\n'));
}

const quantity = (number: number, unit: string) => `${number} ${unit}${number === 1 ? '' : 's'}`;

/** Returns, for example, "EACCES: permission denied". */
const reasonOf = ({ message }: Error) => message.split(', ')[0];

for (const stream of [stdout, stderr]) stream.on('error', () => {}); // print() reports what matters.
const failure = await Promise.race([main(), interrupted]).catch(async (error: unknown) => {
  if (!(error instanceof Failure)) throw error;
  // Start a new line, and clear a prompt's message.
  if (error.exitCode > 128 && stderr.isTTY) stderr.write(process.stdin.isRaw ? '\n\x1b[J' : '\n');
  await sleep(0); // Give getToken() a turn to save: the signal ended its wait, too.
  say(error.message, ...error.advice);
  return error;
});
// Flush stderr, then exit, even if something still runs.
stderr.write('', () => {
  const { exitCode = 0 } = failure ?? {};
  // Unlike process.exit(), a signal leaves the terminal raw.
  if (process.stdin.isRaw) process.stdin.setRawMode(false);
  // End by a signal, so that the shell knows.
  process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM');
  if (exitCode > 128 && platform !== 'win32') process.kill(process.pid, exitCode - 128);
  process.exit(exitCode);
});
