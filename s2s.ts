/**
 * s2s: a one-hour access token for Zoom's API, from the credentials of a Server-to-Server OAuth app.
 *
 * The result goes to stdout and to the clipboard, all else to stderr.
 */

import { once } from 'node:events';
import * as fs from 'node:fs';
// Only the types of node:http: the module itself loads undici, which takes 30 ms.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import https from 'node:https';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorMap, isDeepStrictEqual, parseArgs, stripVTControlCharacters } from 'node:util';
import { parse } from 'dotenv';

const NAMES = ['ZOOM_ACCOUNT_ID', 'ZOOM_CLIENT_ID', 'ZOOM_CLIENT_SECRET'] as const;
type Name = (typeof NAMES)[number];
type Credentials = Record<Name, string>;

/** The fields of Zoom's answer that matter here, unchecked: RFC 6749, sections 5.1 and 5.2, and Zoom's own. */
type Answer = Partial<
  Record<'access_token' | 'expires_in' | 'scope' | 'error' | 'reason' | 'errorCode' | 'errorMessage', unknown>
>;
/** What came back: `answer` where the body is a JSON object. */
type Reply = { status: number; headers: IncomingHttpHeaders; body: string; answer: Answer | undefined };

const USAGE = `Get a one-hour access token for Zoom's API from a Server-to-Server OAuth app.

  npx tsx s2s.ts             copy the token, print it and its scopes
  npx tsx s2s.ts --token     print the token alone
  npx tsx s2s.ts --json      print Zoom's answer as JSON, with expires_at
  npx tsx s2s.ts --help      print this (-h); --version (-v) prints the version

  curl -H "Authorization: Bearer $(npx tsx s2s.ts --token)" \\
    https://api.zoom.us/v2/users/me
  DOTENV_PATH=.env.staging npx tsx s2s.ts

From the environment, else from .env, else asked for in the terminal and saved:
  ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET
From the environment, else from .env:
  ZOOM_HOST                 zoomgov.com for Zoom for Government; else zoom.us
From the environment:
  DOTENV_PATH               another file than .env
  NODE_ENV                  production: save nothing
  HTTPS_PROXY, NO_PROXY     a proxy, from Node 24.14 on
  NODE_EXTRA_CA_CERTS       a file with the CA of a company that inspects TLS

Exit codes: 0 here is the token; 1 Zoom refused, or the network failed; 2 a flag
or a setting is missing or wrong; 130 cancelled.
`;
const REQUEST_MS = 15_000;
const CLIPBOARD_MS = 5_000;
const MAX_BODY_BYTES = 1024 * 1024;
const MAX_SECONDS = 1e9;
/** The statuses that `curl --retry` takes for transient. */
const TRANSIENT = [408, 429, 500, 502, 503, 504];

const flags = readFlags();
/** dotenv's own convention for another file. */
const ENV_FILE = process.env['DOTENV_PATH'] || '.env';
const saved = readEnvFile();
const setting = (name: string): string => process.env[name]?.trim() || saved[name]?.trim() || '';
const credentials = Object.fromEntries(NAMES.map((name) => [name, setting(name)])) as Credentials;
const fromEnvironment = NAMES.filter((name) => process.env[name]?.trim());
// The clipboard's helper inherits the environment.
for (const name of NAMES) delete process.env[name];

const endpoint = tokenEndpoint(setting('ZOOM_HOST') || 'zoom.us');
const { host } = endpoint;
const marketplace = `https://marketplace.${endpoint.hostname.endsWith('zoomgov.com') ? 'zoomgov.com' : 'zoom.us'}/`;
const INTERCEPTED = [
  'A captive portal, a proxy, or a firewall may have answered in its place:',
  `open ${endpoint.origin}/ in a browser on this network, or try another network.`,
];

const proxy = await useProxy();
const unavailable = clipboardless();
const usesClipboard = !flags.token && !flags.json && !unavailable;

/** Tells the person a line, on stderr: stdout is for data. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Ends the run: 1 for a fault on the way to a token, 2 for one in the settings, 130 for a cancelled prompt. */
function fail(code: 1 | 2 | 130, ...lines: string[]): never {
  lines.forEach(say);
  process.exit(code);
}

/** Text from elsewhere, fit for a terminal: no control characters, no escape sequences. */
function clean(text: string): string {
  return stripVTControlCharacters(text).replace(/\s+/g, ' ').replace(/\p{C}/gu, '').trim();
}

/** Words of a server, fit for a message: short, and without the secret that it may repeat. */
function quote(text: string): string {
  const secrets = [credentials.ZOOM_CLIENT_SECRET, basic()];
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), clean(text)).slice(0, 200);
}

/** "A", "A and B", "A, B, and C". */
function list(names: readonly string[]): string {
  return new Intl.ListFormat('en').format(names);
}

/** The reason in an error of the system ("permission denied"). */
function reason(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  return getSystemErrorMap().get(errno ?? 0)?.[1] ?? message;
}

/** When so many seconds are over, by the local clock: "15:04, in 60 minutes". */
function clockTime(seconds: number): string {
  const minutes = Math.ceil(seconds / 60);
  const time = new Date(Date.now() + seconds * 1000).toTimeString().slice(0, 5);
  return `${time}, in ${minutes} minute${minutes === 1 ? '' : 's'}`;
}

/** The flags, of which none takes a value. Ends the run for `--help`, `--version` and whatever is not understood. */
function readFlags(): { token?: boolean; json?: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        token: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    });
    if (values.help || values.version) {
      const { version } = JSON.parse(fs.readFileSync(new URL('package.json', import.meta.url), 'utf8'));
      process.stdout.write(values.help ? USAGE : `${version}\n`);
      process.exit();
    }
    if (values.token && values.json) fail(2, '--token and --json exclude each other: give one of them.');
    return values;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // A word that is no flag may be a secret pasted in the wrong place.
    const what = code?.endsWith('POSITIONAL') ? 'Flags only, no other words' : clean(message.split('. ')[0] ?? '');
    fail(2, `${what}: see npx tsx s2s.ts --help.`);
  }
}

/** The settings in the dotenv file; none where there is no such file. */
function readEnvFile(): Record<string, string> {
  try {
    return parse(fs.readFileSync(ENV_FILE));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') say(`Cannot read ${ENV_FILE}: ${reason(error)}.`);
    return {};
  }
}

/**
 * Where to ask for a token. `ZOOM_HOST`, Zoom's own convention, is a host or a URL.
 * Credentials go to Zoom, to Zoom for Government and, for tests and the demo, to this machine: to no other host.
 */
function tokenEndpoint(zoomHost: string): URL {
  const text = zoomHost.includes('://') ? zoomHost : `https://${zoomHost}`;
  if (URL.canParse(text)) {
    const { protocol, hostname, origin } = new URL(text);
    const isZoom = protocol === 'https:' && /(^|\.)(zoom\.us|zoomgov\.com)$/.test(hostname);
    const isHere = /^https?:$/.test(protocol) && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
    if (isZoom || isHere) return new URL('/oauth/token', origin);
  }
  fail(2, `ZOOM_HOST is not a host of Zoom's: ${clean(zoomHost)}.`, 'Set it to zoom.us or zoomgov.com, or unset it.');
}

/**
 * Turns on the proxy that the environment names for https, where this Node can: from 24.14 and 25.4 on.
 * @returns what to say of it where a connection fails
 */
async function useProxy(): Promise<string[]> {
  const name = ['https_proxy', 'HTTPS_PROXY'].find((name) => process.env[name]);
  if (!name || endpoint.protocol === 'http:') return [];
  const url = process.env[name]?.replace(/^(?!\w+:\/\/)/, 'http://') ?? '';
  if (!/^https?:/.test(url) || !URL.canParse(url)) fail(2, `${name} is not the URL of an HTTP proxy.`);
  const { setGlobalProxyFromEnv } = await import('node:http');
  if (!setGlobalProxyFromEnv)
    return [`${name} is set, but takes effect only from Node 24.14 on: this is ${process.version}.`];
  setGlobalProxyFromEnv({ https_proxy: url, no_proxy: process.env['no_proxy'] || process.env['NO_PROXY'] || '' });
  return [`${name} is set: check that proxy, or name ${endpoint.hostname} in NO_PROXY.`];
}

/**
 * Asks for credentials in the terminal, offers the present ones, and saves what is new.
 * Ends the run if the person cancels.
 */
async function ask(names: readonly Name[]): Promise<void> {
  const { default: prompts } = await import('prompts');
  const questions = names.map((name) => ({
    name,
    message: name,
    type: name === 'ZOOM_CLIENT_SECRET' ? ('password' as const) : ('text' as const),
    initial: credentials[name],
    stdout: process.stderr,
    format: (value: string) => value.trim(),
    validate(value: string) {
      if (!value.trim()) return 'A value is needed.';
      // prompts takes Ctrl-U for text and spells F5 out as "undefined", unseen where the value is masked.
      return /\p{C}|undefined/u.test(value) ? 'A key was taken for text: press Ctrl-G and enter it again.' : true;
    },
  }));
  const answers: Credentials = await prompts(questions, { onCancel: () => fail(130, 'Cancelled') });
  const typed = names.filter((name) => answers[name] !== credentials[name]);
  Object.assign(credentials, answers);
  if (typed.length) await save(typed);
}

/**
 * Sets one value in the text of a dotenv file, and leaves every other byte as it is.
 *
 * dotenv is the judge: of the ways to write the value, the first is taken that dotenv reads back as meant, with all
 * other settings unchanged.
 * @param text the file with a character a byte (latin1), so that bytes which are not UTF-8 survive
 * @returns the new text, or undefined where dotenv cannot represent the value
 */
function assign(text: string, name: Name, value: string): string | undefined {
  const marks = ["'", '"', '`'];
  // dotenv may read on past a quote that follows a backslash: such a value stands bare.
  const quotes = /^[\w.-]+$|^(?!['"`])[^#]*\\$/.test(value) ? ['', ...marks] : [...marks, ''];
  const quoted = marks.map((quote) => `${quote}(?:\\\\${quote}|[^${quote}])*${quote}`).join('|');
  // The name as dotenv allows it, the value, and behind it nothing but a comment.
  const line = new RegExp(
    `^([ \\t]*(?:export[ \\t]+)?${name}(?:[ \\t]*=|:(?=[ \\t]))(?:[ \\t]+(?=[^\\s#]))?)` +
      `(?:${quoted}|[^#\\r\\n]*?)(?=[ \\t]*(?:#.*)?$)`,
    'gm',
  );
  const end = text.includes('\r\n') ? '\r\n' : '\n';
  const places = [...text.matchAll(line)].map(
    ({ 0: all, 1: start = '', index }) => [text.slice(0, index) + start, text.slice(index + all.length)] as const,
  );
  const appended = [`${text}${/[^\r\n]$/.test(text) ? end : ''}${name}=`, end] as const;
  const wanted = { ...parse(Buffer.from(text, 'latin1')), [name]: value };
  const bytes = Buffer.from(value).toString('latin1');
  for (const [before, after] of [...places, appended])
    for (const quote of quotes) {
      const edited = before + quote + bytes + quote + after;
      if (isDeepStrictEqual(parse(Buffer.from(edited, 'latin1')), wanted)) return edited;
    }
  return undefined;
}

/**
 * Replaces a file as a whole or not at all. The mode and the owner of an old one stay.
 * Not synchronous: while a disk takes its time, tsx kills a process that does not react to a signal within 30 ms.
 */
async function replace(path: string, text: string, old: fs.Stats | undefined): Promise<void> {
  const { chmod, chown, rename, rm, stat, writeFile } = fs.promises;
  const temporary = `${path}.${process.pid}`;
  try {
    await writeFile(temporary, text, { encoding: 'latin1', mode: 0o600, flag: 'wx', flush: true });
    const { uid, gid } = await stat(temporary);
    if (old && (old.uid !== uid || old.gid !== gid)) await chown(temporary, old.uid, old.gid);
    if (old) await chmod(temporary, old.mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The last replacement of the dotenv file: a signal waits for its end. */
let saving: Promise<void> | undefined;

/** Saves credentials in the dotenv file, and says which are saved, or why not. */
async function save(names: readonly Name[]): Promise<void> {
  if (process.env['NODE_ENV']?.trim().toLowerCase() === 'production') {
    say('NODE_ENV is production, so nothing is saved. Set in the target environment:');
    return say(`${list(names)}.`);
  }
  try {
    const old = fs.statSync(ENV_FILE, { throwIfNoEntry: false });
    if (old && !old.isFile()) throw new Error('it is not a regular file');
    let target: string = ENV_FILE;
    while (fs.lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink())
      target = resolve(fs.realpathSync(dirname(target)), fs.readlinkSync(target));
    let text = old ? fs.readFileSync(target, 'latin1') : '';
    const written = names.filter((name) => {
      const edited = assign(text, name, credentials[name]);
      if (edited === undefined) say(`${name} is not saved: dotenv has no way to write this value in ${ENV_FILE}.`);
      else text = edited;
      return edited !== undefined;
    });
    if (!written.length) return;
    if (!saving)
      for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143 }))
        process.on(signal, () => void saving?.finally(() => process.exit(code)));
    await (saving = replace(target, text, old));
    say(`Saved ${list(written)} in ${ENV_FILE}.`);
  } catch (error) {
    say(`Cannot save ${list(names)} in ${ENV_FILE}: ${reason(error)}.`);
  }
}

/** The credentials of the Authorization header: RFC 7617. */
function basic(): string {
  return Buffer.from(`${credentials.ZOOM_CLIENT_ID}:${credentials.ZOOM_CLIENT_SECRET}`).toString('base64');
}

/**
 * Sends one token request: RFC 6749, section 4.4, with Zoom's grant type `account_credentials`.
 * @throws an error of the socket, with the code ETIMEDOUT after 15 seconds and EMSGSIZE after 1 MiB
 */
async function post(): Promise<Reply> {
  const signal = AbortSignal.timeout(REQUEST_MS);
  const { request: open } = endpoint.protocol === 'http:' ? await import('node:http') : https;
  const request = open(endpoint, {
    method: 'POST',
    headers: {
      Authorization: `Basic ${basic()}`,
      'Content-Type': 'application/x-www-form-urlencoded',
    },
    signal,
  });
  request.on('error', () => {}); // The awaited event or the body reports it.
  const form = { grant_type: 'account_credentials', account_id: credentials.ZOOM_ACCOUNT_ID };
  request.end(new URLSearchParams(form).toString());
  // Loading clipboardy takes 150 ms: it costs nothing while Zoom thinks.
  if (usesClipboard) request.once('finish', () => void import('clipboardy').catch(() => {}));
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let bytes = Buffer.alloc(0);
    for await (const chunk of response) {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length > MAX_BODY_BYTES) throw Object.assign(new Error(), { code: 'EMSGSIZE' });
    }
    const { statusCode: status = 0, headers } = response;
    const body = bytes.toString();
    return { status, headers, body, answer: parseObject(body) };
  } catch (error) {
    throw signal.aborted ? Object.assign(new Error(), { code: 'ETIMEDOUT' }) : error;
  }
}

/** A JSON object, or undefined for any other text. */
function parseObject(text: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a body is a web page: that never comes from Zoom's token endpoint. */
function isPage({ body }: Reply): boolean {
  return /^\s*</.test(body);
}

/** What an answer said, in its own words where it has any: `"Bad Request" (400)` or `status 503`. */
function said({ status, answer }: Reply): string {
  const text = answer?.reason ?? answer?.errorMessage ?? answer?.error;
  const words = typeof text === 'string' ? quote(text) : '';
  return words ? `"${words}" (${status})` : `status ${status}`;
}

/**
 * Seconds that a Retry-After header asks to wait: RFC 9110, section 10.2.3, in seconds or as a date.
 * @returns 0 where it asks for nothing, and at most what fits a calendar
 */
function retryAfter(value = ''): number {
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000);
  return seconds > 0 ? Math.min(seconds, MAX_SECONDS) : 0;
}

/** Ends the run for a connection that failed: what happened, and what to do. */
function failConnection({ code, message, statusCode }: NodeJS.ErrnoException & { statusCode?: number }): never {
  const cause = `${code ?? clean(message)}${statusCode ? `, status ${statusCode}` : ''}`;
  if (cause === 'EMSGSIZE') fail(1, `${host} sent more than 1 MiB, which is no answer of Zoom's.`, ...INTERCEPTED);
  if (/CERT|ISSUER|SIGNATURE/.test(cause))
    fail(
      1,
      `The certificate of ${host} is not trusted (${cause}), so nothing was sent.`,
      'If your company inspects TLS, set NODE_EXTRA_CA_CERTS to the file of its CA.',
    );
  let what = `The connection to ${host} failed (${cause}).`;
  if (/^(ENOTFOUND|EAI_)/.test(cause)) what = `The name of ${host} is not found (${cause}).`;
  if (cause === 'ECONNREFUSED') what = `${host} refused the connection.`;
  fail(1, what, ...(proxy.length ? proxy : ['Check the network connection, and a firewall or VPN in between.']));
}

/**
 * Gets Zoom's answer. What may pass is tried again: three requests in all, 1 and 2 seconds apart, or as long as the
 * server asks, up to 30 seconds. Ends the run on every other fault.
 */
async function exchange(): Promise<Reply> {
  for (let attempt = 1; ; attempt++) {
    let fault: string;
    let asked = 0;
    let tracking: string[] = [];
    try {
      const reply = await post();
      if (!TRANSIENT.includes(reply.status) || isPage(reply)) return reply;
      fault = `${host} answered with ${said(reply)}`;
      asked = retryAfter(reply.headers['retry-after']);
      tracking = trackingId(reply);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ETIMEDOUT') fault = `${host} gave no answer in 15 seconds`;
      else if (code === 'ECONNRESET' || code === 'EPIPE') fault = `${host} broke the connection`;
      else failConnection(error as NodeJS.ErrnoException);
    }
    if (asked > 30) fail(1, `${fault} and asks to wait.`, ...tracking, `Run this again at ${clockTime(asked)}.`);
    if (attempt === 3) fail(1, `${fault}, three times.`, ...tracking, 'Run this again in a few minutes.');
    const seconds = asked || attempt;
    say(`${fault}; trying again in ${seconds} second${seconds === 1 ? '' : 's'}.`);
    await sleep(seconds * 1000);
  }
}

/**
 * The token in an answer: printable ASCII, as RFC 6749, appendix A.12, has it.
 * @returns undefined where Zoom refused; ends the run for what is neither a token nor a refusal
 */
function token(reply: Reply): string | undefined {
  const { status, headers, body, answer } = reply;
  if (status >= 300 && status < 400) {
    const { location = '' } = headers;
    const to = URL.canParse(location, endpoint) ? ` to ${quote(new URL(location, endpoint).host)}` : '';
    fail(1, `${host} answered with a redirect${to} (${status}), which is not followed.`, ...INTERCEPTED);
  }
  if (!answer) {
    const what = isPage(reply) ? 'a web page' : body ? 'something' : 'nothing';
    fail(1, `${host} answered with ${what} that is not JSON (status ${status}).`, ...INTERCEPTED);
  }
  if (status >= 400 && status < 500) return undefined;
  const { access_token: token } = answer;
  if (status < 300 && typeof token === 'string' && /^[\x20-\x7e]+$/.test(token)) return token;
  fail(
    1,
    status < 300
      ? `${host} answered without a usable access_token (${status}).`
      : `${host} answered with ${said(reply)}.`,
    ...trackingId(reply),
    'Run this again in a few minutes.',
  );
}

/** The ID that Zoom's support asks for, as a line, where the answer has one. */
function trackingId({ headers }: Reply): string[] {
  const id = headers['x-zm-trackingid'];
  return id ? [`Tracking ID, for Zoom's support: ${quote(String(id))}`] : [];
}

/**
 * What a refusal by Zoom means, as its users found out.
 * @returns the credentials at fault, what is wrong, and what to do
 */
function diagnose(reply: Reply): [suspects: readonly Name[], what: string, remedy: string] {
  const [account, id, secret] = NAMES;
  const words = `${reply.answer?.error} ${reply.answer?.errorCode} ${said(reply)}`.toLowerCase();
  const activation = `Activation page at ${marketplace}.`;
  const compare = `with App Credentials at ${marketplace}.`;
  if (/disabled|\b4717\b/.test(words))
    return [[id, secret], `The app of ${id} is disabled:`, `activate it on its ${activation}`];
  const otherApp = `The app of ${id} is no Server-to-Server OAuth app or is not activated:`;
  if (/grant.type/.test(words)) return [[id, secret], otherApp, `check its type and its ${activation}`];
  const mismatch = `${id} or ${secret} is wrong, or they are of different apps:`;
  if (/invalid_client|client_(id|secret)/.test(words)) return [[id, secret], mismatch, `compare both ${compare}`];
  if (/invalid_request|bad request/.test(words)) return [[account], `${account} is wrong:`, `compare it ${compare}`];
  return [NAMES, `Check ${list(NAMES)}:`, `compare them ${compare}`];
}

/** Why there is no clipboard to be had here, as far as the environment tells. */
function clipboardless(): string | undefined {
  const { DISPLAY = '', SSH_CONNECTION, SSH_TTY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = process.env;
  // Forwarded X11 ("localhost:10.0") is the clipboard where the person sits; any other is the remote machine's.
  if ((SSH_CONNECTION || SSH_TTY) && !/^[^:]/.test(DISPLAY)) return 'this is an SSH session';
  const isHeadless = process.platform === 'linux' && !DISPLAY && !WAYLAND_DISPLAY && !WSL_DISTRO_NAME;
  return isHeadless ? 'there is no display' : undefined;
}

/**
 * Copies the token to the clipboard.
 * @returns why that was not possible, or undefined where it was
 */
async function copy(token: string): Promise<string | undefined> {
  if (unavailable) return unavailable;
  try {
    const { default: clipboard } = await import('clipboardy');
    const late = sleep(CLIPBOARD_MS).then(() => Promise.reject(new Error('its helper did not answer in 5 seconds')));
    await Promise.race([clipboard.write(token), late]);
    return undefined;
  } catch (error) {
    return clean((error as Error).message.split(/\.\s|\n/)[0] ?? '');
  }
}

/** Writes the result to stdout and waits until it is out. A reader that goes away is no error. */
async function print(text: string): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((done) => process.stdout.write(text, done));
  if (error?.code === 'EPIPE') process.exit(0);
  if (error) fail(1, `Cannot write the result: ${reason(error)}.`);
}

process.stdout.on('error', () => {}); // print() has it.
process.stderr.on('error', () => {}); // Nobody listens any more.

const missing = NAMES.filter((name) => !credentials[name]);
const isTerminal = process.stdin.isTTY && process.stderr.isTTY;
if (missing.length) {
  if (!isTerminal)
    fail(2, `Set ${list(missing)}`, `in the environment or in ${ENV_FILE}, or run this in a terminal to be asked.`);
  say(`Find credentials in the Zoom App Marketplace, ${marketplace}:`);
  say('Develop > Build App > Server-to-Server OAuth App > App Credentials.');
  await ask(missing);
}

let reply = await exchange();
let accessToken: string | undefined;
while ((accessToken = token(reply)) === undefined) {
  const [suspects, what, remedy] = diagnose(reply);
  [`Zoom refused: ${said(reply)}.`, ...trackingId(reply), what, remedy].forEach(say);
  const fixed = suspects.filter((name) => fromEnvironment.includes(name));
  if (fixed.length)
    fail(1, `The environment, which wins over ${ENV_FILE}, has a rejected value:`, `change or unset ${list(fixed)}.`);
  if (!isTerminal) fail(1);
  say('Enter keeps a value.');
  await ask(suspects);
  reply = await exchange();
}

const answer = reply.answer ?? {};
const { expires_in: life } = answer;
const seconds = typeof life === 'number' && life > 0 && life < MAX_SECONDS ? life : undefined;
if (flags.token) await print(`${accessToken}\n`);
else if (flags.json) {
  const expires_at = seconds && new Date(Date.now() + seconds * 1000);
  const text = JSON.stringify({ expires_at, ...answer }, null, 2);
  // JSON leaves DEL and C1 as they are, and a terminal may obey them.
  await print(`${text.replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`)}\n`);
} else {
  const expiry = seconds && clockTime(seconds); // Before the clipboard, which may take its time.
  const failure = await copy(accessToken);
  const heading = `Zoom Server-to-Server Oauth token${failure === undefined ? ' copied to clipboard' : ''}:`;
  const scopes = typeof answer.scope === 'string' ? clean(answer.scope).split(' ').filter(Boolean) : [];
  await print(['', heading, '-'.repeat(54), accessToken, '', 'Scopes:', '-------', ...scopes, ''].join('\n'));
  if (failure !== undefined && process.stdout.isTTY) {
    await print(`\x1b]52;c;${Buffer.from(accessToken).toString('base64')}\x07`);
    say(`No clipboard here (${failure}). Asked your terminal to copy it.`);
  } else if (failure !== undefined) say(`No clipboard here (${failure}): copy the token from the output.`);
  if (!scopes.length) say(`The app has no scopes, so the token opens nothing: add some under Scopes, ${marketplace}.`);
  if (expiry) say(`Expires at ${expiry}.`);
}
process.exit();
