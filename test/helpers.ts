/** Runs the script as a user would: as a process, in a terminal, with a clipboard. */

import assert from 'node:assert/strict';
import { type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import {
  chownSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import type { Worker } from 'node:worker_threads';
import type { IPty } from '@lydell/node-pty';
import xterm from '@xterm/headless';
import { transformSync } from 'esbuild';
import {
  ACCOUNT,
  BASIC,
  type CertificateOptions,
  type Handler,
  type Tls,
  createCertificate,
  startMockZoom,
} from './mock-zoom.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));
const tsx = join(root, 'node_modules/tsx/dist/cli.mjs');
const script = join(root, 's2s.ts');
const withoutTsx = process.env['S2S_RUNNER'] === 'node';

/** The command that starts the script: tsx or, if S2S_RUNNER is "node", Node alone (22.18 or later strips types). */
export const S2S = [process.execPath, ...(withoutTsx ? [] : [tsx]), script];

export type Env = Record<string, string | undefined>;

const folders: string[] = [];
// Delete at exit, not in a hook: Windows does not delete a folder that a process is in, and after a hook that fails, the
// later hooks, which would end such a process, do not run.
process.on('exit', () => folders.forEach((path) => rmSync(path, { recursive: true, force: true, maxRetries: 5 })));

/** A temporary folder for all processes that a test file starts, so that they share the cache that tsx keeps there. */
const temporary = folder();

/** Returns the path of a copy of the script from which the types are stripped. */
function stripTypes(): string {
  const { code } = transformSync(readFileSync(script, 'utf8'), { loader: 'ts' });
  const copy = folder({ 's2s.js': code, 'package.json': readFileSync(join(root, 'package.json')) });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
  return join(copy, 's2s.js');
}

/** The command for most tests: Node alone, with the types stripped once. It takes a third of the time that tsx takes. */
export const S2S_WITHOUT_TSX = [process.execPath, withoutTsx ? script : stripTypes()];

/** The same, quoted for a shell. */
export const S2S_QUOTED = S2S_WITHOUT_TSX.map((part) => `'${part}'`).join(' ');

/** Returns a command that runs the script in a shell, followed by the rest of a command line, such as a redirection. */
export function inBash(rest: string): string[] {
  return ['bash', '-c', `${S2S_QUOTED} ${rest}`];
}

/** Returns a command that runs the script with stdout (1) or stderr (2) redirected to a file, without a shell. */
export function redirecting(stream: 1 | 2, file: string, ...args: string[]): string[] {
  const stdio = [0, 1, 2].map((fd) => (fd === stream ? `require('node:fs').openSync('${file}', 'w')` : fd));
  const start = `require('node:child_process').spawn(process.argv[1], process.argv.slice(2), { stdio: [${stdio}] })`;
  return [
    process.execPath,
    '-e',
    `${start}.on('exit', (code) => (process.exitCode = code))`,
    ...S2S_WITHOUT_TSX,
    ...args,
  ];
}

/**
 * Returns a minimal environment, without credentials, a display, or a proxy. It has its own home folder, and allows only
 * connections to loopback. It looks like an SSH session, so the system clipboard is never touched.
 */
export function environment(env: Env = {}): Record<string, string> {
  const home = folder();
  const inherited = ['PATH', 'PATHEXT', 'SystemRoot', 'ComSpec'].map((name) => [name, process.env[name]]);
  const all = {
    ...Object.fromEntries(inherited),
    ...{ HOME: home, USERPROFILE: home, TMPDIR: temporary, TEMP: temporary, TMP: temporary },
    TERM: 'xterm-256color',
    SSH_CONNECTION: '192.0.2.1 50000 192.0.2.2 22',
    NODE_OPTIONS: `--require=${JSON.stringify(join(root, 'test/offline.cjs'))}`,
    ...env,
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Returns the variables with which the script gets a token from a server without prompting. */
export function withCredentials(server: { url: string }, env: Env = {}): Env {
  return { ...ACCOUNT, ZOOM_HOST: server.url, ...env };
}

/** Returns the same without the account ID, so that the script prompts for it. */
export function withoutAccountId(server: { url: string }): Env {
  return withCredentials(server, { ZOOM_ACCOUNT_ID: undefined });
}

/** Creates a folder with the given files, to be deleted after the tests of the current file. */
export function folder(content: Record<string, string | Uint8Array> = {}): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 's2s-test-')));
  folders.push(path);
  for (const [name, data] of Object.entries(content)) writeFileSync(join(path, name), data);
  return path;
}

/** Lists a folder, including hidden files. */
export function files(path: string): string[] {
  return readdirSync(path).sort();
}

/** Returns the text of .env in a folder, or undefined if it is not there or not a file. */
export function dotenv(cwd: string): string | undefined {
  try {
    return readFileSync(join(cwd, '.env'), 'utf8');
  } catch {
    return undefined;
  }
}

export type Run = { args?: string[]; env?: Env; cwd?: string; command?: string[] } & Pick<SpawnOptions, 'shell'>;
export type Result = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string; ms: number };

/** Starts the script without a terminal. */
export function start({ args = [], env = {}, cwd = folder(), command = S2S_WITHOUT_TSX, shell = false }: Run) {
  const [file = '', ...rest] = [...command, ...args];
  const started = performance.now();
  const child = spawn(file, rest, { cwd, env: environment(env), shell, stdio: ['ignore', 'pipe', 'pipe'] });
  const result = (async (): Promise<Result> => {
    const [stdout, stderr, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
    ]);
    // With --token, stdout is whatever the server sends as a token, which may include the secret.
    expectNoSecret(args.includes('--token') ? stderr : stdout + stderr);
    return { code, signal, stdout, stderr, ms: performance.now() - started };
  })();
  return { child, result };
}

/** Runs the script without a terminal. */
export function run(options: Run): Promise<Result> {
  return start(options).result;
}

const isWindows = process.platform === 'win32';

const pty = await import('@lydell/node-pty').catch(() => undefined);
/** Options for tests that need a terminal. */
export const inTerminal = { skip: !pty && 'node-pty has no build for this system' };
/** Options for tests that need a terminal and features that only Unix has. */
export const inUnixTerminal = {
  skip:
    inTerminal.skip || (isWindows && 'Windows has no POSIX shell, no signals, no file modes, and no terminal modes'),
};

// Report the exit code and whether the terminal mode changed; then hold the terminal until all output is read.
const WRAPPER = `trap : INT
  mode=$(stty -g)
  sh -c 'echo $$ >"$HOME/pid"; exec "$@"' sh "$@"
  printf '[exit code %d%s]' $? "$([ "$(stty -g)" = "$mode" ] || echo ', terminal mode changed')"
  read -r _`;
export const POINTER = isWindows ? '»' : '›'; // Stands between a prompt and its value.
const HOLDER = isWindows ? [process.execPath, join(root, 'test/console.mjs')] : ['sh', '-c', WRAPPER, 'sh'];
const REPORT = /\[exit code (\d+)(.*)\]/;

/** The private fields of node-pty by which a Windows console can be closed. */
type WindowsPty = {
  _agent: {
    _ptyNative: { kill(id: number): void };
    _pty: number;
    _conoutSocketWorker: { _worker: Worker };
    inSocket: Socket;
    outSocket: Socket;
  };
};

/** Runs the script in a terminal that is 80 columns wide, or in a Windows console so wide that no line wraps. */
export class Terminal {
  #output = '';
  #seen = 0;
  #pty!: IPty;
  #home: string;
  #events = new EventEmitter();
  #display: xterm.Terminal;
  #seenThere = new Map<string, number>(); // How many times each string that is still on the display was seen.

  constructor({ args = [], env = {}, cwd = folder(), command = S2S_WITHOUT_TSX }: Run) {
    const fullEnv = environment(env);
    this.#home = fullEnv['HOME'] ?? '';
    const size = isWindows ? { cols: 1000, rows: 100 } : { cols: 80, rows: 24 }; // A token fits in 1000 columns.
    this.#display = new xterm.Terminal({ ...size, allowProposedApi: true });
    const [holder = '', ...rest] = [...HOLDER, ...command, ...args];
    const open = () => {
      const go = isWindows ? { S2S_GO: join(folder(), 'go') } : undefined;
      this.#pty = pty!.spawn(holder, rest, { ...size, cwd, env: { ...fullEnv, ...go } });
      this.#pty.onData((data) => {
        if (go) writeFileSync(go.S2S_GO, '');
        // Each change to a display begins with hiding the cursor.
        for (const change of data.split(/(?=\x1b\[\?25l)/)) this.#display.write(change, () => this.#receive(change));
      });
    };
    open();
    // Replace a Windows console that shows nothing, as one in a hundred does in Wine. It has not run the command yet.
    const check = () => void (this.#output || this.#close().then(open));
    const timer = isWindows ? setInterval(check, 15_000) : undefined;
    after(() => {
      clearInterval(timer);
      return this.#close();
    });
  }

  /** Ends the terminal and what runs in it. */
  async #close(): Promise<void> {
    if (!isWindows) return this.#pty.kill();
    // Don't call kill(): it waits for output and for another process, and hangs if either never comes.
    const { _ptyNative, _pty, _conoutSocketWorker, inSocket, outSocket } = (this.#pty as unknown as WindowsPty)._agent;
    _ptyNative.kill(_pty);
    inSocket.destroy();
    outSocket.on('error', () => {}).destroy();
    await _conoutSocketWorker._worker.terminate();
  }

  #receive(data: string): void {
    this.#output += data;
    for (const [text, count] of this.#seenThere) this.#seenThere.set(text, Math.min(count, this.#count(text)));
    this.#events.emit('data');
  }

  /** Returns how many times a string is on the display. */
  #count(text: string): number {
    return this.display.split(text).length - 1;
  }

  /** Returns the output so far. */
  get raw(): string {
    return this.#output.replace(REPORT, '');
  }

  /** Returns the lines that are left on the display. */
  get display(): string {
    const { active } = this.#display.buffer;
    const lines = Array.from({ length: active.length }, (_, y) => active.getLine(y)!.translateToString(true).trim());
    return `${lines.join('\n').replace(REPORT, '').trimEnd()}\n`;
  }

  /**
   * Returns the output so far without escape sequences or carriage returns. A Windows console sends changes to its
   * display, in any order, instead of the output. On Windows, returns what is left on the display.
   */
  get screen(): string {
    if (isWindows) return this.display;
    return stripVTControlCharacters(this.raw.replace(/\x1b[78]/g, '')).replaceAll('\r', '');
  }

  /** Returns the process ID of the command. */
  get pid(): number {
    return Number(readFileSync(join(this.#home, 'pid'), 'utf8'));
  }

  type(keys: string): void {
    this.#pty.write(keys);
  }

  async #waitFor<T>(find: () => T | undefined, description: string): Promise<T> {
    const signal = AbortSignal.timeout(60_000);
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (signal.aborted || REPORT.test(this.#output))
        throw new Error(`Did not find ${description} in ${JSON.stringify(this.screen)}`);
      await once(this.#events, 'data', { signal }).catch(() => {});
    }
  }

  /** Waits for a string after the last one seen or, on Windows, until it is on the display one more time than before. */
  async see(expected: string): Promise<void> {
    if (isWindows) {
      const seen = () => this.#seenThere.get(expected) ?? 0;
      await this.#waitFor(() => this.#count(expected) > seen() || undefined, expected);
      this.#seenThere.set(expected, seen() + 1);
      return;
    }
    const index = await this.#waitFor(() => {
      const found = this.screen.indexOf(expected, this.#seen);
      return found < 0 ? undefined : found;
    }, expected);
    this.#seen = index + expected.length;
  }

  /** Waits until the display ends with a line. */
  async seeLast(line: string): Promise<void> {
    await this.#waitFor(() => this.display.endsWith(`\n${line}\n`) || undefined, `${line} as the last line`);
  }

  /** Waits for a prompt and answers it. */
  async answer(prompt: string, keys: string): Promise<void> {
    const start = `? ${prompt} ${POINTER}`;
    // On Windows, look only at the last line, because earlier prompts may or may not be left on the display.
    const isLast = () => this.display.trimEnd().split('\n').at(-1)!.startsWith(start) || undefined;
    await (isWindows ? this.#waitFor(isLast, start) : this.see(start));
    this.type(keys);
  }

  /** Waits for the exit code and for all output. */
  async end(): Promise<number> {
    const [, code, mode] = await this.#waitFor(() => REPORT.exec(this.#output) ?? undefined, 'the exit code');
    assert.equal(mode, '', 'the terminal mode is restored');
    expectNoSecret(this.raw);
    return Number(code);
  }
}

/** Returns options for tests that press Ctrl-C or Escape, which some Windows consoles do not pass on. */
export async function inTerminalWithCtrlC() {
  if (!isWindows || inTerminal.skip) return inTerminal;
  const code = "process.stdin.setRawMode(true).once('data', ([key]) => process.exit(key)); console.log('ready')";
  const terminal = new Terminal({ command: [process.execPath, '-e', code] });
  await terminal.see('ready');
  terminal.type('\x03');
  const key = await Promise.race([terminal.end(), sleep(10_000)]);
  return { skip: key !== 3 && 'this Windows console does not pass on Ctrl-C and Escape' };
}

export type Session = Run & {
  /** What is typed at the prompts, in this order. By default, those credentials of the mock account that `env` lacks. */
  answers?: Partial<typeof ACCOUNT>;
  /** The expected exit code; 0 by default. */
  code?: number;
};

/** Runs the script in a terminal and answers its prompts. */
export async function session({ answers, code = 0, cwd = folder(), ...options }: Session) {
  const missing = Object.entries(ACCOUNT).filter(([name]) => !options.env?.[name]);
  const terminal = new Terminal({ cwd, ...options });
  for (const [name, value] of answers ? Object.entries(answers) : missing) await terminal.answer(name, `${value}\r`);
  const exitCode = await terminal.end();
  const { screen, raw } = terminal;
  assert.deepEqual({ code: exitCode, screen }, { code, screen });
  return { screen, raw, dotenv: dotenv(cwd) };
}

/** Expects a result to have the given fields. A RegExp stands for any text that it matches. */
export function expectRun(
  result: Pick<Result, 'code' | 'stdout' | 'stderr'>,
  expected: { code?: number; stdout?: string | RegExp; stderr?: string | RegExp },
): void {
  const { code, stdout, stderr } = result;
  // Replace each RegExp that matches with the actual text, so that a failure shows all fields and marks the wrong ones.
  const matched = Object.entries(expected).map(([name, value]) => {
    const actual = result[name as keyof typeof expected];
    return [name, value instanceof RegExp && value.test(String(actual)) ? actual : value];
  });
  assert.deepEqual({ code, stdout, stderr }, { code, stdout, stderr, ...Object.fromEntries(matched) });
}

/** Expects exit code 1 and exactly this message, where HOST and ORIGIN stand for the server's. */
export async function expectFailure(server: { url: string }, message: string, env: Env = {}): Promise<Result> {
  const result = await run({ env: withCredentials(server, env) });
  const { host, origin } = new URL(server.url);
  const stderr = message.replaceAll('HOST', host).replaceAll('ORIGIN', origin);
  expectRun(result, { code: 1, stdout: '', stderr });
  expectPlainText(result);
  return result;
}

/** Expects no stack trace, no misprinted value, and no control character, which a terminal might act on. */
export function expectPlainText({ stdout, stderr }: Pick<Result, 'stdout' | 'stderr'>): void {
  assert.doesNotMatch(stderr, /undefined|\bNaN\b|Invalid Date|\[object|^\s+at |Error:/m);
  assert.doesNotMatch(stdout + stderr, /[^\n\P{C}]/u);
}

/** Expects output without the client secret. */
function expectNoSecret(output: string): void {
  for (const secret of [ACCOUNT.ZOOM_CLIENT_SECRET, BASIC])
    assert.ok(!output.includes(secret), `the output contains the secret: ${output}`);
}

/** Starts a mock server for all tests of the current suite. */
export function sharedMockZoom(): { readonly url: string } {
  let server: Awaited<ReturnType<typeof startMockZoom>> | undefined;
  before(async () => (server = await startMockZoom()));
  after(() => server?.close());
  return {
    get url() {
      return server!.url;
    },
  };
}

/** Starts a mock server for the current test. */
export async function ownMockZoom(handler?: Handler, tls?: Tls) {
  const server = await startMockZoom(handler, tls);
  after(() => server.close());
  return server;
}

/** Starts a mock server over TLS for the current test. NODE_EXTRA_CA_CERTS is a file with its certificate. */
export async function ownTrustedMockZoom(host: string, options?: CertificateOptions) {
  const tls = await createCertificate(host, options);
  const NODE_EXTRA_CA_CERTS = join(folder({ 'ca.pem': tls.cert }), 'ca.pem');
  return { ...(await ownMockZoom(undefined, tls)), NODE_EXTRA_CA_CERTS };
}

/** Starts a TCP server for the current test. */
export async function startTcpServer(
  onConnection: (socket: Socket) => void = () => {},
): Promise<{ url: string; host: string; port: number; server: Server }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    onConnection(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  after(() => {
    server.close();
    sockets.forEach((socket) => socket.destroy());
  });
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  return { url: `http://${host}`, host, port, server };
}

/** Returns an environment in which the script runs some JavaScript first. */
export function preloading(code: string): Env {
  const path = join(folder({ 'preload.cjs': code }), 'preload.cjs');
  return { NODE_OPTIONS: `${environment()['NODE_OPTIONS']} --require=${JSON.stringify(path)}` };
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
export const supportsProxies = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
/** The reason to skip a test that needs a proxy, or false. */
export const noProxies = !supportsProxies && `Node ${process.version} does not support proxies`;

/** Returns a reason to skip a test if a probe command fails, or false. In CI on Linux a failing probe is an error. */
export function skipUnless(...probes: string[]): string | false {
  for (const probe of probes) {
    const { status, stderr } = spawnSync(probe, { shell: true, encoding: 'utf8', cwd: tmpdir() });
    if (status === 0) continue;
    const reason = `does not work here: ${probe}: ${stderr.trim().split('\n')[0]}`;
    if (process.env['CI'] === 'true' && process.platform === 'linux') throw new Error(reason);
    return reason;
  }
  return false;
}

/** The reason to skip a test that links to a folder, or false. */
export const noFolderLinks = (() => {
  try {
    symlinkSync(folder(), join(folder(), 'link'), 'junction');
    return false;
  } catch (error) {
    return `links to folders do not work here: ${(error as NodeJS.ErrnoException).code}`;
  }
})();

/** The reason to skip a test of X11, of Wayland, or of a system without a display, or false. */
export const notLinux = process.platform !== 'linux' && 'only on Linux does the clipboard depend on a display';

/** The reason to skip a test that needs fakeClipboard(), or false. */
export const noFakeClipboard = isWindows && 'the clipboard of Windows needs no command from PATH';

/** Returns an environment whose clipboard command (xsel, or pbcopy on macOS) runs a line of shell instead. */
export function fakeClipboard(line: string): Env {
  const bin = folder();
  const name = process.platform === 'darwin' ? 'pbcopy' : 'xsel';
  writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  return { PATH: `${bin}:${process.env['PATH']}`, DISPLAY: ':54321', SSH_CONNECTION: undefined };
}

export const isRoot = process.getuid?.() === 0;

/** Begins a command that may mount file systems: it runs as root in its own mount namespace. */
export const UNSHARE = ['unshare', '--mount', ...(isRoot ? [] : ['--user', '--map-root-user'])];

/** Commands with which skipUnless() checks whether startX11() and startWayland() have what they need. */
export const X11 = ['Xvfb -help', 'xclip -version'];
export const WAYLAND = ['sway --version', 'wl-copy --version', 'wl-paste --version'];

/** Starts a headless X11 server for the current test. */
export async function startX11() {
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '64x64x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  after(() => server.kill());
  const [number] = await once(server.stdio[3]!, 'data');
  const DISPLAY = `:${String(number).trim()}`;
  return {
    env: { DISPLAY, SSH_CONNECTION: undefined },
    /** Makes the display available over TCP, like `ssh -X`. */
    async forward() {
      const { port } = await startTcpServer((socket) => {
        const x11 = connect(`/tmp/.X11-unix/X${DISPLAY.slice(1)}`).on('error', () => {});
        socket.pipe(x11).pipe(socket);
      });
      return { DISPLAY: `localhost:${port - 6000}` };
    },
    async paste() {
      const { code, stdout } = await run({ command: ['xclip', '-selection', 'clipboard', '-out'], env: { DISPLAY } });
      return code === 0 ? stdout : undefined;
    },
  };
}

/** Starts a Wayland compositor for the current test. It is headless, but has a seat, which the clipboard needs. */
export async function startWayland() {
  const runtime = folder();
  const nobody = 65534; // Sway does not run as root.
  if (isRoot) chownSync(runtime, nobody, nobody);
  const compositor = spawn('sway', ['--config', '/dev/null'], {
    stdio: 'ignore',
    ...(isRoot ? { uid: nobody, gid: nobody } : {}),
    env: environment({
      XDG_RUNTIME_DIR: runtime,
      HOME: runtime,
      WLR_BACKENDS: 'headless',
      WLR_LIBINPUT_NO_DEVICES: '1',
      WLR_RENDERER: 'pixman',
    }),
  });
  after(() => compositor.kill());
  let socket: string | undefined;
  while (!(socket = files(runtime).find((name) => /^wayland-\d+$/.test(name)))) await sleep(50);
  const env = {
    XDG_RUNTIME_DIR: runtime,
    WAYLAND_DISPLAY: socket,
    XDG_SESSION_TYPE: 'wayland',
    SSH_CONNECTION: undefined,
  };
  return {
    env,
    paste: async () => (await run({ command: ['wl-paste', '--no-newline'], env })).stdout,
  };
}
