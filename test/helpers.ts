/** Runs the script as its user does: as a process, in a terminal, beside a clipboard. */

import assert from 'node:assert/strict';
import { type SpawnOptions, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import pty from '@lydell/node-pty';
import { ACCOUNT, BASIC, type Handler, type Tls, certificate, startStandIn } from './stand-in.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsx = join(root, 'node_modules/tsx/dist/cli.mjs');

/** The command that starts the script: with S2S_RUNNER=node Node itself, which strips types from 22.18 on; else tsx. */
export const S2S = [process.execPath, ...(process.env['S2S_RUNNER'] === 'node' ? [] : [tsx]), join(root, 's2s.ts')];

/** The same for a shell. */
export const S2S_LINE = S2S.map((word) => `'${word}'`).join(' ');

export type Env = Record<string, string | undefined>;

/** An environment of nothing but what a process needs: no credentials, no display, no proxy, no SSH session. */
export function environment(env: Env = {}): Record<string, string> {
  const all = {
    PATH: process.env['PATH'],
    HOME: tmpdir(),
    TMPDIR: process.env['TMPDIR'],
    TERM: 'xterm-256color',
    ...env,
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Everything the script needs to get a token from a stand-in without asking. */
export function configured(standIn: { url: string }, env: Env = {}): Env {
  return { ...ACCOUNT, ZOOM_HOST: standIn.url, ...env };
}

/** A new empty folder, removed after the tests of its file. */
export function folder(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 's2s-test-')));
  after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export type Run = { args?: string[]; env?: Env; cwd?: string; command?: string[] } & Pick<SpawnOptions, 'stdio'>;
export type Result = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string; ms: number };

/** Starts the script without a terminal. */
export function start({ args = [], env = {}, cwd = folder(), command = S2S, stdio = ['ignore', 'pipe', 'pipe'] }: Run) {
  const [file = '', ...rest] = [...command, ...args];
  const started = performance.now();
  const child = spawn(file, rest, { cwd, env: environment(env), stdio });
  const result = (async (): Promise<Result> => {
    const [stdout, stderr, [code, signal]] = await Promise.all([
      child.stdout ? text(child.stdout) : '',
      child.stderr ? text(child.stderr) : '',
      once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
    ]);
    assertSecret(stdout + stderr);
    return { code, signal, stdout, stderr, ms: performance.now() - started };
  })();
  return { child, result };
}

/** Runs the script without a terminal, to its end. */
export function run(options: Run): Promise<Result> {
  return start(options).result;
}

/** A command line for the shell that runs the script, for redirections and pipes. */
export function shell(after: string): string[] {
  return ['bash', '-c', `${S2S_LINE} ${after}`];
}

/** The script in a pseudo-terminal of 80 columns. */
export class Terminal {
  /** All that the terminal was sent. */
  raw = '';
  #seen = 0;
  #pty: pty.IPty;
  /** The exit code, once it ended. */
  ended: Promise<number>;

  constructor({ args = [], env = {}, cwd = folder(), command = S2S }: Run) {
    const [file = '', ...rest] = [...command, ...args];
    this.#pty = pty.spawn(file, rest, { cols: 80, rows: 24, cwd, env: environment(env) });
    this.#pty.onData((data) => (this.raw += data));
    after(() => this.#pty.kill());
    this.ended = new Promise((done) =>
      this.#pty.onExit(({ exitCode, signal }) => done(signal ? 128 + signal : exitCode)),
    );
  }

  /** What a person reads: no escape sequences, no carriage returns. */
  get screen(): string {
    return stripVTControlCharacters(this.raw.replace(/\x1b[78]/g, '')).replaceAll('\r', '');
  }

  get pid(): number {
    return this.#pty.pid;
  }

  type(keys: string): void {
    this.#pty.write(keys);
  }

  /** Waits until something new is on the screen. */
  async see(what: string, seconds = 20): Promise<void> {
    for (const end = Date.now() + seconds * 1000; ; await sleep(20)) {
      const at = this.screen.indexOf(what, this.#seen);
      if (at >= 0) {
        this.#seen = at + what.length;
        return;
      }
      if (Date.now() > end) throw new Error(`Not seen: ${JSON.stringify(what)} in ${JSON.stringify(this.screen)}`);
    }
  }

  /** Answers a question when it is asked. */
  async answer(question: string, keys: string): Promise<void> {
    await this.see(`? ${question} ›`);
    this.type(keys);
  }

  /** The exit code, when the last of the output has come. */
  async end(): Promise<number> {
    const code = await this.ended;
    await sleep(100);
    assertSecret(this.raw);
    return code;
  }
}

/** Answers all three questions as the stand-in's customer. */
export async function answerAll(terminal: Terminal): Promise<void> {
  for (const [name, value] of Object.entries(ACCOUNT)) await terminal.answer(name, `${value}\r`);
}

/** The script in a terminal, asked for the account ID alone, which is typed: that is what it then saves. */
export async function typeAccountId(standIn: { url: string }, options: Omit<Run, 'env'>): Promise<Terminal> {
  const terminal = new Terminal({ ...options, env: configured(standIn, { ZOOM_ACCOUNT_ID: undefined }) });
  await terminal.answer('ZOOM_ACCOUNT_ID', `${ACCOUNT.ZOOM_ACCOUNT_ID}\r`);
  return terminal;
}

/** A stand-in for Zoom of a test's own, until its end. */
export async function ownStandIn(handler?: Handler, tls?: Tls) {
  const started = await startStandIn(handler, tls);
  after(() => started.close());
  return started;
}

/** The same over TLS, as a host whose certificate is trusted by way of the variable. */
export async function trustedStandIn(host: string) {
  const tls = await certificate(host);
  const NODE_EXTRA_CA_CERTS = join(folder(), 'ca.pem');
  writeFileSync(NODE_EXTRA_CA_CERTS, tls.cert);
  return { ...(await ownStandIn(undefined, tls)), NODE_EXTRA_CA_CERTS };
}

/** A server that does to each connection as told, until the end of the test. */
export async function tcp(
  onConnection: (socket: Socket) => void,
): Promise<{ url: string; host: string; server: Server }> {
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
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: `http://${host}`, host, server };
}

/** No exit may tell the secret: every output of every test is searched for it. */
function assertSecret(output: string): void {
  for (const secret of [ACCOUNT.ZOOM_CLIENT_SECRET, BASIC]) assert.ok(!output.includes(secret), 'the secret is told');
}

/** No failure may show a stack, or send control characters to the terminal. */
export function assertClean({ stdout, stderr }: Pick<Result, 'stdout' | 'stderr'>): void {
  assert.doesNotMatch(stderr, /undefined|\bNaN\b|Invalid Date|\[object|^\s+at |Error:/m);
  assert.doesNotMatch(stdout + stderr, /[^\n\P{C}]/u);
}

/** Runs the script to a failure; checks exit code 1 and exactly these words, in which HOST is the server. */
export async function fails(server: { url: string }, expected: string, env: Env = {}): Promise<Result> {
  const result = await run({ env: configured(server, env) });
  const { code, stdout, stderr } = result;
  const words = expected.replaceAll('HOST', new URL(server.url).host);
  assert.deepEqual({ code, stdout, stderr }, { code: 1, stdout: '', stderr: words });
  assertClean(result);
  return result;
}

/** Why a test cannot run here: a reason to skip it, or false. With CI=true nothing may be missing. */
export function lacking(...commands: string[]): string | false {
  const paths = (process.env['PATH'] ?? '').split(delimiter);
  const missing = commands.filter((command) => !paths.some((path) => existsSync(join(path, command))));
  if (!missing.length) return false;
  if (process.env['CI'] === 'true') throw new Error(`Not installed: ${missing.join(', ')}`);
  return `not installed: ${missing.join(', ')}`;
}

/** An X11 display of a test's own, without a screen, until its end. */
export async function startX11() {
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '64x64x24', '-listen', 'tcp', '-ac'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  after(() => server.kill());
  const [number] = await once(server.stdio[3]!, 'data');
  const env = { DISPLAY: `:${String(number).trim()}` };
  return {
    env,
    paste: () =>
      execFileSync('xclip', ['-selection', 'clipboard', '-out'], {
        env: environment(env),
        encoding: 'utf8',
        stdio: 'pipe',
      }),
  };
}

/** A Wayland compositor without a screen, and with a seat, which a clipboard belongs to. Sway does not run as root. */
export async function startWayland() {
  const runtime = folder();
  const isRoot = process.getuid?.() === 0;
  const nobody = 65534;
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
  while (!(socket = readdirSync(runtime).find((name) => /^wayland-\d+$/.test(name)))) await sleep(50);
  const env = { XDG_RUNTIME_DIR: runtime, WAYLAND_DISPLAY: socket, XDG_SESSION_TYPE: 'wayland' };
  return {
    env,
    paste: () => spawnSync('wl-paste', ['--no-newline'], { env: environment(env), encoding: 'utf8' }).stdout,
  };
}

/** Files in a folder, dotfiles too. */
export const files = (path: string): string[] => readdirSync(resolve(path)).sort();
