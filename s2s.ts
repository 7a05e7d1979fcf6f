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
import { type Key, emitKeypressEvents } from 'node:readline';
import { PassThrough, addAbortSignal } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorMap, isDeepStrictEqual, parseArgs, stripVTControlCharacters } from 'node:util';
import { parse } from 'dotenv';

async function main(): Promise<void> {
  const flags = readFlags();
  if (flags.help || flags.version) return print(flags.help ? USAGE : `${readVersion()}\n`);
  if (flags.token && flags.json) throw new Failure(2, '--token and --json exclude each other: give one of them.');

  const settings = readSettings();
  const zoom = findZoom(settings.host);
  const obstacle = clipboardless();
  const copies = !flags.token && !flags.json && !obstacle;
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
  else await present(outcome, zoom, obstacle);
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

/** The credentials (empty where none is set), which of them the environment sets, the dotenv file, and Zoom's host. */
type Settings = { credentials: Credentials; fromEnvironment: readonly Name[]; file: string; host: string };

/** The token endpoint, a proxy on the way, whom it takes to connect to, and what to do where that fails. */
type Zoom = { endpoint: URL; marketplace: string; agent: https.Agent | undefined; peer: string; hint: string };

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
    https://api.zoom.us/v2/users/me     (Zoom for Government: api.zoomgov.com)

From the environment, else from .env, where what you are asked for is saved:
  ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET
  ZOOM_HOST                 zoomgov.com for Zoom for Government; else zoom.us
From the environment:
  DOTENV_PATH               another file than .env
  NODE_ENV                  production: save nothing
  HTTPS_PROXY, NO_PROXY     a proxy, from Node 22.21 and 24.5 on
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
  let bytes = Buffer.alloc(0);
  try {
    bytes = fs.readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') say(`Cannot read ${file}: ${reason(error)}.`);
  }
  if (/^(\xff\xfe|\xfe\xff|.?\0)/s.test(bytes.toString('latin1')))
    throw new Failure(2, `${file} is in UTF-16, which dotenv cannot read:`, 'save it in UTF-8.');
  const saved: Record<string, string> = parse(bytes);
  const setting = (name: string) => process.env[name]?.trim() || saved[name]?.trim() || '';
  const credentials = Object.fromEntries(NAMES.map((name) => [name, setting(name)])) as Credentials;
  const fromEnvironment = NAMES.filter((name) => process.env[name]?.trim());
  return { credentials, fromEnvironment, file, host: setting('ZOOM_HOST') || 'zoom.us' };
}

/**
 * Where to ask for a token: at Zoom, at Zoom for Government or, for tests and the demo, on this machine; nowhere else.
 * @param host a host or a URL, as Zoom's own samples take it from ZOOM_HOST
 */
function findZoom(host: string): Zoom {
  const text = host.includes('://') ? host : `https://${host}`;
  const { protocol, hostname } = new URL(URL.canParse(text) ? text : 'about:blank');
  const isZoom = protocol === 'https:' && /(^|\.)(zoom\.us|zoomgov\.com)$/.test(hostname);
  const isHere = /^https?:$/.test(protocol) && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  const what = `ZOOM_HOST is "${clean(host)}", which is no host of Zoom's.`;
  if (!isZoom && !isHere) throw new Failure(2, what, 'Set it to zoom.us or zoomgov.com, or unset it.');
  const endpoint = new URL('/oauth/token', text);
  const domain = hostname.endsWith('zoomgov.com') ? 'zoomgov.com' : 'zoom.us';
  return { endpoint, marketplace: `https://marketplace.${domain}/`, ...findRoute(endpoint) };
}

/** The way there: through the proxy that the environment names, if this Node has proxies: from 22.21 and 24.5 on. */
function findRoute({ protocol, host, hostname }: URL): Pick<Zoom, 'agent' | 'peer' | 'hint'> {
  const direct = { agent: undefined, peer: host, hint: 'Check the network, and a firewall or VPN in between.' };
  const name = ['https_proxy', 'HTTPS_PROXY'].find((name) => process.env[name]);
  const exceptions = (process.env['no_proxy'] || process.env['NO_PROXY'] || '').toLowerCase().split(/[\s,]+/);
  const isHere = (end: string) => end === '*' || `.${hostname}`.endsWith(`.${end.replace(/^\*?\.|:\d+$/g, '')}`);
  if (!name || protocol === 'http:' || exceptions.some(isHere)) return direct;
  const url = process.env[name]?.replace(/^(?!\w+:\/\/)/, 'http://') ?? '';
  if (!/^https?:/.test(url) || !URL.canParse(url))
    throw new Failure(2, `${name} is not the URL of an HTTP proxy:`, 'set it to http://host:port, or unset it.');
  if (!process.allowedNodeEnvironmentFlags.has('--use-env-proxy'))
    return { ...direct, hint: `${name} takes effect only from Node 22.21 and 24.5 on: this is ${process.version}.` };
  const agent = new https.Agent({ proxyEnv: { HTTPS_PROXY: url } });
  return { agent, peer: `${name} (${new URL(url).host})`, hint: `Check ${name}, or name ${hostname} in NO_PROXY.` };
}

/** The credentials; those that are missing are asked for. */
async function askForMissing({ credentials, file }: Settings, { marketplace }: Zoom): Promise<Credentials> {
  const missing = NAMES.filter((name) => !credentials[name]);
  if (!missing.length) return credentials;
  const where = `in the environment or in ${file}, or run this in a terminal to be asked.`;
  if (!isTerminal()) throw new Failure(2, `Set ${list(missing)}`, where);
  say(`Find credentials in the Zoom App Marketplace, ${marketplace}:`);
  say('Manage > your app > App Credentials; Develop > Build App to create one.');
  return ask(missing, credentials, file);
}

/** The credentials after a refusal; those that may be wrong are asked for. */
async function askForSuspects({ suspects, lines }: Refusal, { file, fromEnvironment }: Settings, known: Credentials) {
  const fixed = suspects.filter((name) => fromEnvironment.includes(name));
  const asked = suspects.filter((name) => !fixed.includes(name));
  const advice = `The environment, which wins over ${file}, may have a wrong value:\nchange or unset ${list(fixed)}.`;
  const told = fixed.length ? [...lines, advice] : lines;
  if (!asked.length || !isTerminal()) throw new Failure(1, ...told);
  [...told, 'Enter keeps a value.'].forEach(say);
  return ask(asked, known, file);
}

const isTerminal = () => process.stdin.isTTY && process.stderr.isTTY;

/**
 * Asks for credentials in the terminal, where the known ones are offered, and saves what is new.
 * @returns all three
 */
async function ask(names: readonly Name[], known: Credentials, file: string): Promise<Credentials> {
  const { default: prompts } = await import('prompts');
  const { close, ...terminal } = takeLines();
  const questions = names.map((name) => ({
    name,
    message: name,
    type: name === 'ZOOM_CLIENT_SECRET' ? ('password' as const) : ('text' as const),
    initial: known[name],
    ...terminal,
    format: (value: string) => value.trim(),
    validate(value: string) {
      if (!value.trim()) return 'A value is needed.';
      const odd = /\p{C}/u.exec(value)?.[0].codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0');
      return odd ? `It has an invisible character, U+${odd}: press Ctrl-G and enter it again.` : true;
    },
  }));
  const cancel = () => Promise.reject(new Failure(130, 'Cancelled'));
  const credentials: Credentials = { ...known, ...(await prompts(questions, { onCancel: cancel }).finally(close)) };
  const typed = names.filter((name) => credentials[name] !== known[name]);
  if (typed.length) await save(typed, credentials, file);
  return credentials;
}

/**
 * What is typed, a line a question: several lines that are pasted at once answer several questions. prompts by itself
 * takes them for one answer, since it reads on while it validates; and it spells keys without text out as "undefined".
 * @returns what every question needs, and what gives the terminal back
 */
function takeLines() {
  const stdin = new PassThrough();
  const typed: [text: string | undefined, key: Key][] = [];
  const isEnter = () => /^(return|enter)$/.test(typed[0]?.[1].name ?? '');
  let isReady = false;
  const pass = () => {
    while (isReady && typed.length) {
      isReady = !isEnter();
      stdin.emit('keypress', ...typed.shift()!);
    }
  };
  function onRender(this: { firstRender: boolean; red: boolean; value: string }) {
    if (!this.firstRender && !this.red) return;
    if (this.value.trim()) typed.length = 0; // It was refused: what was pasted behind it is not for this question.
    while (isEnter()) typed.shift(); // Blank lines in between.
    isReady = true;
    setImmediate(pass);
  }
  emitKeypressEvents(process.stdin.resume());
  process.stdin.setRawMode(true).on('keypress', (text: string | undefined, key: Key) => {
    // To prompts a tab is no text, but "take what is offered".
    if (text ?? /^(delete|escape|left|right)$/.test(key.name ?? '')) typed.push([text, text === '\t' ? {} : key]);
    pass();
  });
  const close = () => void process.stdin.setRawMode(false).removeAllListeners('keypress').pause();
  return { stdin, stdout: process.stderr, onRender, close };
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
    // It begins when the signals are listened to: one that came before would leave the file beside .env.
    await uninterrupted(Promise.resolve().then(() => replace(target, text, old)));
    say(`Saved ${list(saved)} in ${file}.`);
    if (old && old.mode & 0o044 && process.platform !== 'win32') say(`Others can read it: chmod 600 ${file}`);
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
  const head = String.raw`(?:\xef\xbb\xbf)?[ \t]*(?:export[ \t]+)?${name}[ \t]*[=:][ \t]*?`;
  const old = String.raw`(['"\`])[^]*?\2|[^\s#][^#\r\n]*?|`; // In quotes, bare, or none.
  const line = new RegExp(String.raw`^(${head})(?:${old})([ \t]*(?:#.*)?)$`, 'gm');
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
 * Replaces a file as a whole or not at all; the mode and the owner of an old one stay. What is mounted, another
 * person's, or in a folder that is, may not be replaced but written: only then is it.
 * Not synchronous: while a disk takes its time, tsx kills a process that does not react to a signal within 60 ms.
 */
async function replace(path: string, text: string, old: fs.Stats | undefined): Promise<void> {
  const { chmod, chown, rename, rm, truncate, writeFile } = fs.promises;
  const temporary = `${path}.${crypto.randomUUID()}`;
  const options = { encoding: 'latin1', flush: true } as const;
  try {
    await writeFile(temporary, text, { ...options, mode: 0o600, flag: 'wx' });
    if (old) await chown(temporary, old.uid, old.gid).then(() => chmod(temporary, old.mode));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    if (!old || !/^E(ACCES|BUSY|INVAL|PERM|ROFS)$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await writeFile(path, text, { ...options, flag: 'r+' });
    await truncate(path, text.length);
  }
}

/**
 * Has a signal wait for some work. It is not forgotten afterwards: one that has come by then, but has not been heard,
 * would be lost.
 */
function uninterrupted(work: Promise<void>): Promise<void> {
  // Node itself restores the terminal only where nothing has ever listened.
  const restore = () => process.stdin.isTTY && process.stdin.setRawMode(false);
  const end = (signal: NodeJS.Signals) => process.off(signal, wait).kill(process.pid, signal);
  const wait = (signal: NodeJS.Signals) => void work.then(restore, restore).then(() => end(signal));
  process.setMaxListeners(0).on('SIGHUP', wait).on('SIGINT', wait).on('SIGTERM', wait);
  return work;
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
    const isLong = seconds > 30;
    const what = `${fault}${isLong ? ' and asks to wait' : ', three times'}.`;
    const when = isLong ? `at ${clockTime(fromNow(seconds))}` : 'in a few minutes';
    if (isLong || attempt === 3) throw new Failure(1, what, ...details, `Run this again ${when}.`);
    say(`${fault}; trying again in ${count(seconds || attempt, 'second')}.`);
    await sleep((seconds || attempt) * 1000);
  }
}

/**
 * Sends one token request: RFC 6749, section 4.4, with Zoom's grant type `account_credentials`.
 * @throws an error of the socket, an AbortError after 15 seconds, or a Failure for an answer that is too long
 */
async function post({ agent, endpoint }: Zoom, credentials: Credentials, onSent: () => void): Promise<Reply> {
  const { ZOOM_ACCOUNT_ID: account_id, ZOOM_CLIENT_ID: id, ZOOM_CLIENT_SECRET: secret } = credentials;
  const signal = AbortSignal.timeout(15_000);
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const { request: open } = endpoint.protocol === 'http:' ? await import('node:http') : https;
  const request = open(endpoint, { method: 'POST', auth: `${id}:${secret}`, agent, headers, signal });
  request.once('finish', onSent);
  request.end(new URLSearchParams({ grant_type: 'account_credentials', account_id }).toString());
  // Where an answer asks to switch protocols, only the end is reported.
  const [response]: IncomingMessage[] = await Promise.race([once(request, 'response'), once(request, 'close')]);
  if (!response) throw new Error('closed without an answer');
  let body = '';
  for await (const chunk of addAbortSignal(signal, response.setEncoding('utf8')))
    if ((body += chunk).length > 2 ** 20)
      throw intercepted(endpoint, "sent more than 1 MiB, which is no answer of Zoom's");
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

/** @param what the server did that Zoom does not */
function intercepted({ host, origin }: URL, what: string): Failure {
  const who = 'A captive portal, a proxy, or a firewall may have answered in its place:';
  const remedy = `open ${origin}/ in a browser on this network, or try another network.`;
  return new Failure(1, `${host} ${what}.`, who, remedy);
}

function readReply({ status, headers, body }: Reply, zoom: Zoom, credentials: Credentials): Grant | Refusal | Fault {
  const { endpoint } = zoom;
  const { ZOOM_CLIENT_ID: id, ZOOM_CLIENT_SECRET: secret } = credentials;
  const basic = Buffer.from(`${id}:${secret}`).toString('base64');
  /** Words of the server, fit for a message: short, and without the secret that it may repeat. */
  const quote = (text: string) => clean(text).replaceAll(secret, '***').replaceAll(basic, '***').slice(0, 200);
  const answer = parseObject(body);
  const { access_token: token, expires_in: life, scope } = answer ?? {};
  const texts = ['reason', 'errorMessage', 'error_description', 'message', 'error'].map((name) => answer?.[name]);
  const words = texts.map((text) => (typeof text === 'string' ? quote(text) : '')).find(Boolean);
  const said = words ? `"${words}" (${status})` : `status ${status}`;
  const tracking = headers['x-zm-trackingid'];
  const details = tracking ? [`Tracking ID, for Zoom's support: ${quote(String(tracking))}`] : [];
  const isPage = /^\s*</.test(body);

  // What `curl --retry` takes for transient. A load balancer's page is of an outage, any other is of a captive portal.
  if ([408, 429, 500, 502, 503, 504].includes(status) && !(isPage && status < 500))
    return { fault: `${endpoint.host} answered with ${said}`, details, seconds: retryAfter(headers['retry-after']) };
  const to = status >= 300 && status < 400 && headers.location;
  if (to) throw intercepted(endpoint, `answered with a redirect to ${quote(to)} (${status}), which is not followed`);
  const what = isPage ? 'a web page' : body ? 'something that is not JSON' : 'nothing';
  if (!answer) throw intercepted(endpoint, `answered with ${what} (status ${status})`);
  if (status >= 400 && status < 500) {
    const signs = [answer['error'], answer['errorCode'], answer['code']].filter((sign) => typeof sign !== 'object');
    const [suspects, ...advice] = diagnose([...signs, said].join(' '), zoom);
    return { suspects, lines: [`Zoom refused: ${said}.`, ...details, ...advice] };
  }
  // RFC 6749, appendix A.12: a token is printable ASCII.
  if (status < 300 && typeof token === 'string' && /^[\x20-\x7e]+$/.test(token)) {
    const scopes = typeof scope === 'string' ? scope.split(/\s+/).map(clean).filter(Boolean) : [];
    const expires = typeof life === 'number' && life > 0 && life < 1e9 ? fromNow(life) : undefined;
    return { token, scopes, expires, answer };
  }
  const how = status < 300 && !words ? `without a usable access_token (${status})` : `with ${said}`;
  throw new Failure(1, `${endpoint.host} answered ${how}.`, ...details, 'Run this again in a few minutes.');
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

/**
 * Seconds that a Retry-After header asks to wait: RFC 9110, section 10.2.3, in seconds or as a date.
 * @returns 0 where it asks for nothing, and no more than fits a calendar
 */
function retryAfter(value = ''): number {
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000);
  return seconds > 0 ? Math.min(seconds, 1e9) : 0;
}

function readError(error: unknown, { endpoint: { host }, peer, hint }: Zoom): Fault {
  if (error instanceof Failure) throw error;
  const { name, code, message, statusCode } = error as NodeJS.ErrnoException & { statusCode?: number };
  const fault = { details: [hint], seconds: 0 };
  if (name === 'AbortError') return { ...fault, fault: `${host} gave no answer in 15 seconds` };
  if (code === 'ECONNRESET' || code === 'EPIPE') return { ...fault, fault: `${host} broke the connection` };
  const cause = `${code ?? clean(message)}${statusCode ? `, status ${statusCode}` : ''}`;
  const untrusted = `The certificate of ${host} is not trusted (${cause}), so nothing was sent.`;
  const remedy = 'If your company inspects TLS, NODE_EXTRA_CA_CERTS has to name a readable file with its CA.';
  if (/CERT|ISSUER|SIGNATURE/.test(cause)) throw new Failure(1, untrusted, remedy);
  if (/^(ENOTFOUND|EAI_)/.test(cause)) throw new Failure(1, `The name of ${peer} is not found (${cause}).`, hint);
  if (cause === 'ECONNREFUSED') throw new Failure(1, `${peer} refused the connection.`, hint);
  throw new Failure(1, `The connection to ${peer} failed (${cause}).`, hint);
}

/**
 * What a refusal by Zoom means, by its words or by its number in Zoom's "OAuth error messages".
 * @returns the credentials that may be wrong, what is wrong, and what to do
 */
function diagnose(words: string, { marketplace }: Zoom): [suspects: readonly Name[], what: string, remedy: string] {
  const [account, id, secret] = NAMES;
  const app = [id, secret];
  const has = (pattern: RegExp) => pattern.test(words);
  const activation = `Activation page at ${marketplace}.`;
  const compare = `with App Credentials at ${marketplace}.`;
  const otherApp = `The app of ${id} is no Server-to-Server OAuth app or is not activated:`;
  const mismatch = `${id} or ${secret} is wrong, or they are of different apps:`;
  if (has(/by admin|\b4738\b/i)) return [[], 'An administrator disabled the app:', 'one has to allow it again.'];
  if (has(/\bowner\b|\b4735\b/i)) return [[], 'The owner of the app is gone:', `give it another at ${marketplace}.`];
  if (has(/disabled|\b4717\b/i)) return [app, `The app of ${id} is disabled:`, `activate it on its ${activation}`];
  if (has(/grant.type|\b4705\b/i)) return [app, otherApp, `check its type and its ${activation}`];
  if (has(/invalid.client|client.(id|secret)|\b470[246]\b/i)) return [app, mismatch, `compare both ${compare}`];
  // These words alone: others speak for themselves.
  if (has(/"(bad |invalid_)request"/i)) return [[account], `${account} is most likely wrong:`, `compare it ${compare}`];
  return [NAMES, `Check ${list(NAMES)}:`, `compare them ${compare}`];
}

/** Zoom's answer, with the time of expiry first. */
function toJson({ answer, expires }: Grant): string {
  const text = JSON.stringify({ expires_at: expires, ...answer }, null, 2);
  // JSON leaves DEL and C1 as they are, and a terminal may obey them.
  return `${text.replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`)}\n`;
}

/** Copies the token and prints it with its scopes, line for line as Zoom's s2s.js does. */
async function present({ token, scopes, expires }: Grant, { marketplace }: Zoom, obstacle: string | void) {
  obstacle ??= await copy(token).catch(explain);
  const heading = `Zoom Server-to-Server Oauth token${obstacle ? '' : ' copied to clipboard'}:`;
  await print(['', heading, '-'.repeat(54), token, '', 'Scopes:', '-------', ...scopes, ''].join('\n'));
  const { STY, TERM = '', TMUX } = process.env;
  // GNU screen spills OSC 52 where it is longer than its buffer. tmux, which may go by the same name, does not.
  if (obstacle && process.stdout.isTTY && !STY && TERM !== 'dumb' && (TMUX || !/^screen(\.|$)/.test(TERM))) {
    await print(`\x1b]52;c;${Buffer.from(token).toString('base64')}\x07`);
    say(`No clipboard here (${obstacle}). Asked your terminal to copy it.`);
  } else if (obstacle) say(`No clipboard here (${obstacle}): copy the token from the output.`);
  if (!scopes.length) say(`The app has no scopes, so the token opens nothing: add some under Scopes, ${marketplace}.`);
  if (expires) say(`Expires at ${clockTime(expires)}.`);
}

/** @throws a HelperError where that is not possible, or an Error after 5 seconds */
async function copy(token: string): Promise<void> {
  for (const name of NAMES) delete process.env[name]; // The clipboard's helper inherits the environment.
  const { default: clipboard } = await import('clipboardy');
  const late = sleep(5_000).then(() => Promise.reject(new Error('its helper did not answer in 5 seconds')));
  await Promise.race([clipboard.write(token), late]);
}

/** What clipboardy throws: an error of a helper's process, or one that holds those of two. */
type HelperError = Error & { stderr?: string; xselError?: { stderr?: string }; fallbackError?: { stderr?: string } };

/** Why the clipboard's helper failed: what to install where it is missing, else its own words. */
function explain({ message, stderr, xselError, fallbackError }: HelperError): string {
  const { TERMUX_VERSION, WAYLAND_DISPLAY } = process.env;
  // Without wl-clipboard, clipboardy tries xsel; without that, an xsel of its own, for x86-64.
  if (WAYLAND_DISPLAY && fallbackError) return 'install wl-clipboard';
  const words = clean(xselError?.stderr || stderr || fallbackError?.stderr || '');
  if (!words && /^Couldn't find/.test(message)) return `install ${TERMUX_VERSION ? 'termux-api' : 'xsel'}`;
  return words || clean(message.split(/\.\s|\n/)[0] ?? '');
}

/** Why there is no clipboard to be had here, as far as the environment tells. */
function clipboardless(): string | undefined {
  const { DISPLAY = '', SSH_CONNECTION, SSH_TTY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = process.env;
  const isLinux = process.platform === 'linux';
  // Forwarded X11 ("localhost:10.0") is the clipboard where the person sits; any other is the remote machine's.
  if ((SSH_CONNECTION || SSH_TTY) && !(isLinux && /^[^:]/.test(DISPLAY))) return 'this is an SSH session';
  return isLinux && !DISPLAY && !WAYLAND_DISPLAY && !WSL_DISTRO_NAME ? 'there is no display' : undefined;
}

/** Writes to stdout and waits until it is out. A reader that goes away is no error. */
async function print(text: string): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((done) => process.stdout.write(text, done));
  if (error && error.code !== 'EPIPE') throw new Failure(1, `Cannot write the result: ${reason(error)}.`);
}

/** Tells the person, on stderr: stdout is for the result. */
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Text from elsewhere, fit for a terminal: cut, and without escape sequences and control characters. */
const clean = (text: string) =>
  stripVTControlCharacters(text.slice(0, 999)).replace(/\s+/g, ' ').replace(/\p{C}/gu, '').trim();

/** "A", "A and B", "A, B, and C". */
const list = (names: readonly string[]) => new Intl.ListFormat('en').format(names);

/** "1 second", "2 seconds". */
const count = (number: number, unit: string) => `${number} ${unit}${number === 1 ? '' : 's'}`;

/** The moment in so many seconds. */
const fromNow = (seconds: number) => new Date(Date.now() + seconds * 1000);

/** A time to come, by the local clock: "15:04, in 60 minutes" or "15:04 on Tue Nov 24 2026". */
function clockTime(date: Date): string {
  const minutes = Math.ceil((date.getTime() - Date.now()) / 60_000);
  const then = minutes < 1440 ? `, in ${count(minutes, 'minute')}` : ` on ${date.toDateString()}`;
  return `${date.toTimeString().slice(0, 5)}${then}`;
}

/** The reason in an error of the system: "permission denied". */
const reason = (error: unknown) =>
  getSystemErrorMap().get((error as NodeJS.ErrnoException).errno ?? 0)?.[1] ?? (error as Error).message;

for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {}); // print() tells, where it matters.
try {
  await main();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  say(error.message);
  process.exitCode = error.code;
}
// Once all is said, what may still run is ended: the clipboard's helper, the rest of an answer.
process.stderr.write('', () => process.exit());
