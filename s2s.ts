/**
 * s2s: a one-hour access token for Zoom's API, from the credentials of a Server-to-Server OAuth app.
 *
 * main() is the whole job; the functions below it stand in the order in which it meets them. What ends the job early is
 * thrown as a Failure and told in the last lines. The result goes to stdout, all else to stderr.
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

async function main(): Promise<void> {
  const flags = readFlags();
  if (flags.help) return print(USAGE);
  if (flags.version) return print(`${readVersion()}\n`);
  if (flags.token && flags.json) throw new Failure(2, '--token and --json exclude each other: give one of them.');

  const settings = readSettings();
  const zoom = await findZoom(settings.host);
  const copies = !flags.token && !flags.json && !clipboardless();
  // Loading clipboardy takes 150 ms: it costs nothing while Zoom thinks.
  const onSent = () => void (copies && import('clipboardy').catch(() => {}));

  let credentials = await askForMissing(settings, zoom);
  let outcome = await requestToken(zoom, credentials, onSent);
  while ('suspects' in outcome) {
    credentials = await askForSuspects(outcome, settings, credentials);
    outcome = await requestToken(zoom, credentials, onSent);
  }

  if (flags.token) await print(`${outcome.token}\n`);
  else if (flags.json) await print(toJson(outcome));
  else await present(outcome, zoom);
}

/** The one planned way to end early. */
class Failure extends Error {
  /** The exit code: 1 for a fault on the way to a token, 2 for one in the settings, 130 for a cancelled question. */
  readonly code: 1 | 2 | 130;

  /** @param lines what happened, then what to do */
  constructor(code: Failure['code'], ...lines: string[]) {
    super(lines.join('\n'));
    this.code = code;
  }
}

const NAMES = ['ZOOM_ACCOUNT_ID', 'ZOOM_CLIENT_ID', 'ZOOM_CLIENT_SECRET'] as const;
type Name = (typeof NAMES)[number];
type Credentials = Record<Name, string>;

type Settings = {
  /** From the environment, else from the dotenv file; empty where neither has a value. */
  credentials: Credentials;
  fromEnvironment: readonly Name[];
  /** The dotenv file. */
  file: string;
  host: string;
};

type Zoom = {
  /** The token endpoint. */
  endpoint: URL;
  marketplace: string;
  /** What to do where a connection fails. */
  hint: string;
};

type Reply = { status: number; headers: IncomingHttpHeaders; body: string };

/** One request ends with a token and Zoom's whole answer, */
type Grant = { token: string; scopes: string[]; expires: Date | undefined; answer: object };
/** or with Zoom's no: the credentials that may be wrong, and what to say, */
type Refusal = { suspects: readonly Name[]; lines: string[] };
/** or with a fault that may pass, in so many seconds where the server says so, else 0. */
type Fault = { fault: string; details: string[]; seconds: number };

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

/** The flags, of which none takes a value. */
function readFlags() {
  const flag = { type: 'boolean' } as const;
  const options = { token: flag, json: flag, help: { ...flag, short: 'h' }, version: { ...flag, short: 'v' } };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // A word that is no flag may be a secret pasted in the wrong place.
    const what = code?.endsWith('POSITIONAL') ? 'Flags only, no other words' : clean(message.split('. ')[0] ?? '');
    throw new Failure(2, `${what}: see npx tsx s2s.ts --help.`);
  }
}

const readVersion = () => JSON.parse(fs.readFileSync(new URL('package.json', import.meta.url), 'utf8')).version;

/** The settings, of which the environment wins over the dotenv file. */
function readSettings(): Settings {
  const file = process.env['DOTENV_PATH'] || '.env'; // dotenv's own convention.
  let saved: Record<string, string> = {};
  try {
    saved = parse(fs.readFileSync(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') say(`Cannot read ${file}: ${reason(error)}.`);
  }
  const setting = (name: string) => process.env[name]?.trim() || saved[name]?.trim() || '';
  return {
    credentials: Object.fromEntries(NAMES.map((name) => [name, setting(name)])) as Credentials,
    fromEnvironment: NAMES.filter((name) => process.env[name]?.trim()),
    file,
    host: setting('ZOOM_HOST') || 'zoom.us',
  };
}

/**
 * Where to ask for a token: at Zoom, at Zoom for Government or, for tests and the demo, on this machine; nowhere else.
 * @param host a host or a URL, as Zoom's own samples take it from ZOOM_HOST
 */
async function findZoom(host: string): Promise<Zoom> {
  const text = host.includes('://') ? host : `https://${host}`;
  if (URL.canParse(text)) {
    const { protocol, hostname } = new URL(text);
    const isZoom = protocol === 'https:' && /(^|\.)(zoom\.us|zoomgov\.com)$/.test(hostname);
    const isHere = /^https?:$/.test(protocol) && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
    const endpoint = new URL('/oauth/token', text);
    const marketplace = `https://marketplace.${hostname.endsWith('zoomgov.com') ? 'zoomgov.com' : 'zoom.us'}/`;
    if (isZoom || isHere) return { endpoint, marketplace, hint: await useProxy(endpoint) };
  }
  const what = `ZOOM_HOST is not a host of Zoom's: ${clean(host)}.`;
  throw new Failure(2, what, 'Set it to zoom.us or zoomgov.com, or unset it.');
}

/**
 * Turns on the proxy that the environment names for https, where this Node can: from 24.14 and 25.4 on.
 * @returns what to do where a connection fails
 */
async function useProxy({ protocol, hostname }: URL): Promise<string> {
  const name = ['https_proxy', 'HTTPS_PROXY'].find((name) => process.env[name]);
  if (!name || protocol === 'http:') return 'Check the network connection, and a firewall or VPN in between.';
  const url = process.env[name]?.replace(/^(?!\w+:\/\/)/, 'http://') ?? '';
  if (!/^https?:/.test(url) || !URL.canParse(url)) throw new Failure(2, `${name} is not the URL of an HTTP proxy.`);
  const { setGlobalProxyFromEnv } = await import('node:http');
  const since = `${name} is set, but takes effect only from Node 24.14 on: this is ${process.version}.`;
  if (!setGlobalProxyFromEnv) return since;
  setGlobalProxyFromEnv({ https_proxy: url, no_proxy: process.env['no_proxy'] || process.env['NO_PROXY'] || '' });
  return `${name} is set: check that proxy, or name ${hostname} in NO_PROXY.`;
}

/** The credentials; those that are missing are asked for. */
async function askForMissing({ credentials, file }: Settings, { marketplace }: Zoom): Promise<Credentials> {
  const missing = NAMES.filter((name) => !credentials[name]);
  if (!missing.length) return credentials;
  const where = `in the environment or in ${file}, or run this in a terminal to be asked.`;
  if (!isTerminal()) throw new Failure(2, `Set ${list(missing)}`, where);
  say(`Find credentials in the Zoom App Marketplace, ${marketplace}:`);
  say('Develop > Build App > Server-to-Server OAuth App > App Credentials.');
  return ask(missing, credentials, file);
}

/** The credentials after a refusal; those that may be wrong are asked for. */
async function askForSuspects({ suspects, lines }: Refusal, settings: Settings, credentials: Credentials) {
  const { file, fromEnvironment } = settings;
  const fixed = suspects.filter((name) => fromEnvironment.includes(name));
  const advice = `The environment, which wins over ${file}, has a rejected value:\nchange or unset ${list(fixed)}.`;
  if (fixed.length) throw new Failure(1, ...lines, advice);
  if (!isTerminal()) throw new Failure(1, ...lines);
  [...lines, 'Enter keeps a value.'].forEach(say);
  return ask(suspects, credentials, file);
}

const isTerminal = () => process.stdin.isTTY && process.stderr.isTTY;

/**
 * Asks for credentials in the terminal, where the present ones are offered, and saves what is new.
 * @returns all three
 */
async function ask(names: readonly Name[], present: Credentials, file: string): Promise<Credentials> {
  const { default: prompts } = await import('prompts');
  const questions = names.map((name) => ({
    name,
    message: name,
    type: name === 'ZOOM_CLIENT_SECRET' ? ('password' as const) : ('text' as const),
    initial: present[name],
    stdout: process.stderr,
    format: (value: string) => value.trim(),
    validate(value: string) {
      if (!value.trim()) return 'A value is needed.';
      // prompts takes Ctrl-U for text and spells F5 out as "undefined", unseen where the value is masked.
      return /\p{C}|undefined/u.test(value) ? 'A key was taken for text: press Ctrl-G and enter it again.' : true;
    },
  }));
  const cancel = () => Promise.reject(new Failure(130, 'Cancelled'));
  const credentials: Credentials = { ...present, ...(await prompts(questions, { onCancel: cancel })) };
  const typed = names.filter((name) => credentials[name] !== present[name]);
  if (typed.length) await save(typed, credentials, file);
  return credentials;
}

/** Saves credentials in the dotenv file, and says which are saved, or why not. */
async function save(names: readonly Name[], credentials: Credentials, file: string): Promise<void> {
  if (process.env['NODE_ENV']?.trim().toLowerCase() === 'production')
    return say(`NODE_ENV is production, so nothing is saved. Set in the target environment:\n${list(names)}.`);
  try {
    const old = fs.statSync(file, { throwIfNoEntry: false });
    if (old && !old.isFile()) throw new Error('it is not a regular file');
    let target = file;
    while (fs.lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink())
      target = resolve(fs.realpathSync(dirname(target)), fs.readlinkSync(target));
    let text = old ? fs.readFileSync(target, 'latin1') : '';
    const saved = names.filter((name) => {
      const edited = assign(text, name, credentials[name]);
      if (edited === undefined) say(`${name} is not saved: dotenv has no way to write this value in ${file}.`);
      text = edited ?? text;
      return edited !== undefined;
    });
    if (!saved.length) return;
    await uninterrupted(replace(target, text, old));
    say(`Saved ${list(saved)} in ${file}.`);
  } catch (error) {
    say(`Cannot save ${list(names)} in ${file}: ${reason(error)}.`);
  }
}

/**
 * Sets one value in the text of a dotenv file, and leaves every other byte as it is.
 *
 * dotenv is the judge: the first place and the first quotes are taken with which it reads the value as meant, and all
 * other settings as before.
 * @param text the file with a character a byte (latin1), so that bytes which are not UTF-8 survive
 * @returns the new text, or undefined where dotenv cannot represent the value
 */
function assign(text: string, name: Name, value: string): string | undefined {
  const line = new RegExp(
    `^([ \\t]*(?:export[ \\t]+)?${name}[ \\t]*[=:][ \\t]*?)` + // The name,
      '(?:([\'"`])[^]*?\\2|[^\\s#][^#\\r\\n]*?|)' + // its value: in quotes, bare, or none,
      '([ \\t]*(?:#.*)?)$', // and behind it nothing but a comment.
    'gm',
  );
  const end = text.includes('\r\n') ? '\r\n' : '\n';
  const appended = `${text}${/[^\r\n]$/.test(text) ? end : ''}${name}=${end}`;
  // dotenv reads on past a quote behind a backslash: such a value is better left bare.
  const quotes = /^[\w.-]+$|\\$/.test(value) ? ['', "'", '"', '`'] : ["'", '"', '`', ''];
  const wanted = { ...parse(Buffer.from(text, 'latin1')), [name]: value };
  const bytes = Buffer.from(value).toString('latin1');
  for (const base of [text, appended])
    for (const { 0: all, 1: head, 3: tail, index } of base.matchAll(line))
      for (const quote of quotes) {
        const edited = base.slice(0, index) + head + quote + bytes + quote + tail + base.slice(index + all.length);
        if (isDeepStrictEqual(parse(Buffer.from(edited, 'latin1')), wanted)) return edited;
      }
  return undefined;
}

/**
 * Replaces a file as a whole or not at all. The mode and the owner of an old one stay.
 * Not synchronous: while a disk takes its time, tsx kills a process that does not react to a signal within 30 ms.
 */
async function replace(path: string, text: string, old: fs.Stats | undefined): Promise<void> {
  const { chmod, chown, rename, rm, writeFile } = fs.promises;
  const temporary = `${path}.${process.pid}`;
  try {
    await writeFile(temporary, text, { encoding: 'latin1', mode: 0o600, flag: 'wx', flush: true });
    if (old) await chown(temporary, old.uid, old.gid);
    if (old) await chmod(temporary, old.mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Waits for work that a signal has to wait for, too. */
async function uninterrupted(work: Promise<void>): Promise<void> {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const wait = (signal: NodeJS.Signals) => void work.catch(() => {}).then(() => process.kill(process.pid, signal));
  for (const signal of signals) process.once(signal, wait);
  await work.finally(() => signals.forEach((signal) => process.off(signal, wait)));
}

/** Asks for a token: three times at most, 1 and 2 seconds apart, or as long as the server asks, up to 30 seconds. */
async function requestToken(zoom: Zoom, credentials: Credentials, onSent: () => void): Promise<Grant | Refusal> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await post(zoom, credentials, onSent).then(
      (reply) => readReply(reply, zoom, credentials),
      (error) => readError(error, zoom),
    );
    if (!('fault' in outcome)) return outcome;
    const { fault, details, seconds } = outcome;
    const again = seconds > 30 ? `at ${clockTime(fromNow(seconds))}` : 'in a few minutes';
    if (seconds > 30 || attempt === 3) {
      const what = seconds > 30 ? `${fault} and asks to wait.` : `${fault}, three times.`;
      throw new Failure(1, what, ...details, `Run this again ${again}.`);
    }
    say(`${fault}; trying again in ${count(seconds || attempt, 'second')}.`);
    await sleep((seconds || attempt) * 1000);
  }
}

/**
 * Sends one token request: RFC 6749, section 4.4, with Zoom's grant type `account_credentials`.
 * @throws an error of the socket, or a TimeoutError after 15 seconds
 */
async function post({ endpoint }: Zoom, credentials: Credentials, onSent: () => void): Promise<Reply> {
  const { ZOOM_ACCOUNT_ID: account_id, ZOOM_CLIENT_ID: id, ZOOM_CLIENT_SECRET: secret } = credentials;
  const signal = AbortSignal.timeout(15_000);
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const { request: open } = endpoint.protocol === 'http:' ? await import('node:http') : https;
  const request = open(endpoint, { method: 'POST', auth: `${id}:${secret}`, headers, signal });
  request.on('error', () => {}); // The awaited event or the body reports it.
  request.once('finish', onSent);
  request.end(new URLSearchParams({ grant_type: 'account_credentials', account_id }).toString());
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let body = '';
    for await (const chunk of response.setEncoding('utf8'))
      if ((body += chunk).length > 2 ** 20)
        throw intercepted(endpoint, "sent more than 1 MiB, which is no answer of Zoom's");
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}

/** @param what the server did that Zoom does not */
function intercepted({ host, origin }: URL, what: string): Failure {
  const who = 'A captive portal, a proxy, or a firewall may have answered in its place:';
  const remedy = `open ${origin}/ in a browser on this network, or try another network.`;
  return new Failure(1, `${host} ${what}.`, who, remedy);
}

/** The statuses that `curl --retry` takes for transient. */
const TRANSIENT = [408, 429, 500, 502, 503, 504];

function readReply({ status, headers, body }: Reply, zoom: Zoom, credentials: Credentials): Grant | Refusal | Fault {
  const { endpoint } = zoom;
  const { ZOOM_CLIENT_ID: id, ZOOM_CLIENT_SECRET: secret } = credentials;
  const basic = Buffer.from(`${id}:${secret}`).toString('base64');
  /** Words of the server, fit for a message: short, and without the secret that it may repeat. */
  const quote = (text: string) => clean(text).replaceAll(secret, '***').replaceAll(basic, '***').slice(0, 200);
  const answer = parseObject(body);
  const { access_token: token, expires_in: life, scope, error, reason, errorCode, errorMessage } = answer ?? {};
  const words = reason ?? errorMessage ?? error;
  const said = typeof words === 'string' && quote(words) ? `"${quote(words)}" (${status})` : `status ${status}`;
  const tracking = headers['x-zm-trackingid'];
  const details = tracking ? [`Tracking ID, for Zoom's support: ${quote(String(tracking))}`] : [];
  const isPage = /^\s*</.test(body);

  if (TRANSIENT.includes(status) && !isPage)
    return { fault: `${endpoint.host} answered with ${said}`, details, seconds: retryAfter(headers['retry-after']) };
  if (status >= 300 && status < 400) {
    const { location = '' } = headers;
    const to = URL.canParse(location, endpoint) ? ` to ${quote(new URL(location, endpoint).host)}` : '';
    throw intercepted(endpoint, `answered with a redirect${to} (${status}), which is not followed`);
  }
  if (!answer) {
    const what = isPage ? 'a web page' : body ? 'something' : 'nothing';
    throw intercepted(endpoint, `answered with ${what} that is not JSON (status ${status})`);
  }
  if (status >= 400 && status < 500) {
    const [suspects, ...advice] = diagnose(`${error} ${errorCode} ${said}`, zoom);
    return { suspects, lines: [`Zoom refused: ${said}.`, ...details, ...advice] };
  }
  // RFC 6749, appendix A.12: a token is printable ASCII.
  if (status < 300 && typeof token === 'string' && /^[\x20-\x7e]+$/.test(token)) {
    const scopes = typeof scope === 'string' ? clean(scope).split(' ').filter(Boolean) : [];
    const expires = typeof life === 'number' && life > 0 && life < MAX_SECONDS ? fromNow(life) : undefined;
    return { token, scopes, expires, answer };
  }
  const what = status < 300 ? `without a usable access_token (${status})` : `with ${said}`;
  throw new Failure(1, `${endpoint.host} answered ${what}.`, ...details, 'Run this again in a few minutes.');
}

/** A JSON object, or undefined for any other text. */
function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** What fits a calendar. */
const MAX_SECONDS = 1e9;

/**
 * Seconds that a Retry-After header asks to wait: RFC 9110, section 10.2.3, in seconds or as a date.
 * @returns 0 where it asks for nothing
 */
function retryAfter(value = ''): number {
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000);
  return seconds > 0 ? Math.min(seconds, MAX_SECONDS) : 0;
}

function readError(error: unknown, { endpoint: { host }, hint }: Zoom): Fault {
  if (error instanceof Failure) throw error;
  const { name, code, message, statusCode } = error as NodeJS.ErrnoException & { statusCode?: number };
  const fault = { details: [], seconds: 0 };
  if (name === 'TimeoutError') return { ...fault, fault: `${host} gave no answer in 15 seconds` };
  if (code === 'ECONNRESET' || code === 'EPIPE') return { ...fault, fault: `${host} broke the connection` };
  const cause = `${code ?? clean(message)}${statusCode ? `, status ${statusCode}` : ''}`;
  if (/CERT|ISSUER|SIGNATURE/.test(cause)) {
    const what = `The certificate of ${host} is not trusted (${cause}), so nothing was sent.`;
    throw new Failure(1, what, 'If your company inspects TLS, set NODE_EXTRA_CA_CERTS to the file of its CA.');
  }
  if (/^(ENOTFOUND|EAI_)/.test(cause)) throw new Failure(1, `The name of ${host} is not found (${cause}).`, hint);
  if (cause === 'ECONNREFUSED') throw new Failure(1, `${host} refused the connection.`, hint);
  throw new Failure(1, `The connection to ${host} failed (${cause}).`, hint);
}

/**
 * What a refusal by Zoom means, as its users found out.
 * @returns the credentials that may be wrong, what is wrong, and what to do
 */
function diagnose(words: string, { marketplace }: Zoom): [suspects: readonly Name[], what: string, remedy: string] {
  const [account, id, secret] = NAMES;
  const activation = `Activation page at ${marketplace}.`;
  const compare = `with App Credentials at ${marketplace}.`;
  if (/disabled|\b4717\b/i.test(words))
    return [[id, secret], `The app of ${id} is disabled:`, `activate it on its ${activation}`];
  const otherApp = `The app of ${id} is no Server-to-Server OAuth app or is not activated:`;
  if (/grant.type/i.test(words)) return [[id, secret], otherApp, `check its type and its ${activation}`];
  const mismatch = `${id} or ${secret} is wrong, or they are of different apps:`;
  if (/invalid_client|client_(id|secret)/i.test(words)) return [[id, secret], mismatch, `compare both ${compare}`];
  if (/invalid_request|bad request/i.test(words)) return [[account], `${account} is wrong:`, `compare it ${compare}`];
  return [NAMES, `Check ${list(NAMES)}:`, `compare them ${compare}`];
}

/** Zoom's answer, with the time of expiry first. */
function toJson({ answer, expires }: Grant): string {
  const text = JSON.stringify({ expires_at: expires, ...answer }, null, 2);
  // JSON leaves DEL and C1 as they are, and a terminal may obey them.
  return `${text.replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`)}\n`;
}

/** Copies the token and prints it with its scopes, line for line as Zoom's s2s.js does. */
async function present({ token, scopes, expires }: Grant, { marketplace }: Zoom): Promise<void> {
  const obstacle = await copy(token).catch((error: Error) => error.message);
  const heading = `Zoom Server-to-Server Oauth token${obstacle ? '' : ' copied to clipboard'}:`;
  await print(['', heading, '-'.repeat(54), token, '', 'Scopes:', '-------', ...scopes, ''].join('\n'));
  if (obstacle && process.stdout.isTTY) {
    await print(`\x1b]52;c;${Buffer.from(token).toString('base64')}\x07`);
    say(`No clipboard here (${obstacle}). Asked your terminal to copy it.`);
  } else if (obstacle) say(`No clipboard here (${obstacle}): copy the token from the output.`);
  if (!scopes.length) say(`The app has no scopes, so the token opens nothing: add some under Scopes, ${marketplace}.`);
  if (expires) say(`Expires at ${clockTime(expires)}.`);
}

/** @throws an error that says why there is no clipboard */
async function copy(token: string): Promise<void> {
  const obstacle = clipboardless();
  if (obstacle) throw new Error(obstacle);
  for (const name of NAMES) delete process.env[name]; // The clipboard's helper inherits the environment.
  try {
    const { default: clipboard } = await import('clipboardy');
    const late = sleep(5_000).then(() => Promise.reject(new Error('its helper did not answer in 5 seconds')));
    await Promise.race([clipboard.write(token), late]);
  } catch (error) {
    throw new Error(clean((error as Error).message.split(/\.\s|\n/)[0] ?? ''));
  }
}

/** Why there is no clipboard to be had here, as far as the environment tells. */
function clipboardless(): string | undefined {
  const { DISPLAY = '', SSH_CONNECTION, SSH_TTY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = process.env;
  // Forwarded X11 ("localhost:10.0") is the clipboard where the person sits; any other is the remote machine's.
  if ((SSH_CONNECTION || SSH_TTY) && !/^[^:]/.test(DISPLAY)) return 'this is an SSH session';
  const isHeadless = process.platform === 'linux' && !DISPLAY && !WAYLAND_DISPLAY && !WSL_DISTRO_NAME;
  return isHeadless ? 'there is no display' : undefined;
}

/** Writes to stdout and waits until it is out. A reader that goes away is no error. */
async function print(text: string): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((done) => process.stdout.write(text, done));
  if (error && error.code !== 'EPIPE') throw new Failure(1, `Cannot write the result: ${reason(error)}.`);
}

/** Tells the person, on stderr: stdout is for the result. */
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Text from elsewhere, fit for a terminal: no control characters, no escape sequences. */
const clean = (text: string) => stripVTControlCharacters(text).replace(/\s+/g, ' ').replace(/\p{C}/gu, '').trim();

/** "A", "A and B", "A, B, and C". */
const list = (names: readonly string[]) => new Intl.ListFormat('en').format(names);

/** "1 second", "2 seconds". */
const count = (number: number, unit: string) => `${number} ${unit}${number === 1 ? '' : 's'}`;

/** The moment in so many seconds. */
const fromNow = (seconds: number) => new Date(Date.now() + seconds * 1000);

/** A time to come, by the local clock: "15:04, in 60 minutes". */
const clockTime = (date: Date) =>
  `${date.toTimeString().slice(0, 5)}, in ${count(Math.ceil((date.getTime() - Date.now()) / 60_000), 'minute')}`;

/** The reason in an error of the system: "permission denied". */
function reason(error: unknown): string {
  const { errno = 0, message } = error as NodeJS.ErrnoException;
  return getSystemErrorMap().get(errno)?.[1] ?? message;
}

process.stdout.on('error', () => {}); // print() has it.
process.stderr.on('error', () => {}); // Nobody listens any more.
try {
  await main();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  say(error.message);
  process.exitCode = error.code;
}
// Once all is said, what may still run is ended: the clipboard's helper, the rest of an answer.
process.stderr.write('', () => process.exit());
