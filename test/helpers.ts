/** Runs the script as its user does: as a process, in a terminal, beside a clipboard. */

import assert from 'node:assert/strict';
import { type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { chownSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import type { IPty } from '@lydell/node-pty';
import { ACCOUNT, BASIC, type Handler, type Tls, certificate, startStandIn } from './stand-in.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));
const tsx = join(root, 'node_modules/tsx/dist');
const script = join(root, 's2s.ts');
const stripsTypes = process.env['S2S_RUNNER'] === 'node';

/** The command that starts the script: with S2S_RUNNER=node Node itself, which strips types from 22.18 on; else tsx. */
export const S2S = [process.execPath, ...(stripsTypes ? [] : [join(tsx, 'cli.mjs')]), script];

/**
 * The same in one process, in half the time: what most tests run. tsx's own process kills the script that has not reacted
 * to a signal within 60 ms. A process that lives so briefly spends a quarter of its time on optimizing tsx.
 */
export const S2S_ALONE = [
  process.execPath,
  ...(stripsTypes ? [] : ['--no-opt', `--import=${pathToFileURL(join(tsx, 'esm/index.mjs'))}`]),
  script,
];

/** The same for a shell. */
export const S2S_LINE = S2S.map((word) => `'${word}'`).join(' ');

export type Env = Record<string, string | undefined>;

/** For NODE_OPTIONS: nothing that is started reaches more than loopback. */
export const OFFLINE = `--require=${JSON.stringify(join(root, 'test/offline.cjs'))}`;

/** The temporary folder of whatever a file's tests start: tsx keeps what it has compiled there. */
const temporary = folder();

/**
 * An environment of nothing but what a process needs: no credentials, no display, no proxy, a home of its own, and
 * nowhere to go but loopback. It is that of an SSH session, where no system's clipboard is touched.
 */
export function environment(env: Env = {}): Record<string, string> {
  const home = folder();
  const needed = ['PATH', 'PATHEXT', 'SystemRoot', 'ComSpec'].map((name) => [name, process.env[name]]);
  const all = {
    ...Object.fromEntries(needed),
    ...{ HOME: home, USERPROFILE: home, TMPDIR: temporary, TEMP: temporary, TMP: temporary },
    TERM: 'xterm-256color',
    SSH_CONNECTION: '192.0.2.1 50000 192.0.2.2 22',
    NODE_OPTIONS: OFFLINE,
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
  after(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

export type Run = { args?: string[]; env?: Env; cwd?: string; command?: string[] } & Pick<SpawnOptions, 'shell'>;
export type Result = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string; ms: number };

/** Starts the script without a terminal. */
export function start({ args = [], env = {}, cwd = folder(), command = S2S_ALONE, shell = false }: Run) {
  const [file = '', ...rest] = [...command, ...args];
  const started = performance.now();
  const child = spawn(file, rest, { cwd, env: environment(env), shell, stdio: ['ignore', 'pipe', 'pipe'] });
  const result = (async (): Promise<Result> => {
    const [stdout, stderr, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
    ]);
    assertSecret(args.includes('--token') ? stderr : stdout + stderr); // The token is Zoom's, whatever is in it.
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

const pty = await import('@lydell/node-pty').catch(() => undefined);
/** The options of a test that needs a terminal. */
export const inTerminal = {
  skip:
    (process.platform === 'win32' && "the questions have not been tried in Windows' console") ||
    (!pty && 'the pseudo-terminal has no build for this system'),
};

// The shell says how the command ended, and whether the terminal is as it was; it holds the terminal until all is read.
const WATCHED = `trap : INT
  mode=$(stty -g)
  sh -c 'echo $$ >"$HOME/pid"; exec "$@"' sh "$@"
  printf '\\033]s2s;%d;%s\\007' $? "$([ "$(stty -g)" = "$mode" ] || echo changed)"
  read -r _`;
const END = /\x1b\]s2s;(\d+);(.*)\x07/;

/** The script in a pseudo-terminal of 80 columns. */
export class Terminal {
  #sent = '';
  #seen = 0;
  #pty: IPty;
  #home: string;
  #news = new EventEmitter();

  constructor({ args = [], env = {}, cwd = folder(), command = S2S_ALONE }: Run) {
    const given = environment(env);
    this.#home = given['HOME'] ?? '';
    this.#pty = pty!.spawn('sh', ['-c', WATCHED, 'sh', ...command, ...args], { cols: 80, rows: 24, cwd, env: given });
    this.#pty.onData((data) => {
      this.#sent += data;
      this.#news.emit('data');
    });
    after(() => this.#pty.kill());
  }

  /** All that the command has sent to the terminal. */
  get raw(): string {
    return this.#sent.replace(END, '');
  }

  /** What a person reads: no escape sequences, no carriage returns. */
  get screen(): string {
    return stripVTControlCharacters(this.raw.replace(/\x1b[78]/g, '')).replaceAll('\r', '');
  }

  /** The process of the command. */
  get pid(): number {
    return Number(readFileSync(join(this.#home, 'pid'), 'utf8'));
  }

  type(keys: string): void {
    this.#pty.write(keys);
  }

  async #until<T>(find: () => T | undefined, what: string): Promise<T> {
    const signal = AbortSignal.timeout(60_000);
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (signal.aborted || END.test(this.#sent))
        throw new Error(`Not seen: ${what} in ${JSON.stringify(this.screen)}`);
      await once(this.#news, 'data', { signal }).catch(() => {});
    }
  }

  /** Waits until something new is on the screen. */
  async see(what: string): Promise<void> {
    const at = await this.#until(() => {
      const index = this.screen.indexOf(what, this.#seen);
      return index < 0 ? undefined : index;
    }, what);
    this.#seen = at + what.length;
  }

  /** Answers a question when it is asked. */
  async answer(question: string, keys: string): Promise<void> {
    await this.see(`? ${question} ›`);
    this.type(keys);
  }

  /** The exit code, when the last of the output has come. */
  async end(): Promise<number> {
    const [, code, mode] = await this.#until(() => END.exec(this.#sent) ?? undefined, 'the end');
    assert.equal(mode, '', 'the terminal is as it was');
    assertSecret(this.raw);
    return Number(code);
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

/**
 * Why a test cannot run here: a reason to skip it, or false. Each probe is a command line that has to succeed.
 * With CI=true nothing may be missing on Linux.
 */
export function lacking(...probes: string[]): string | false {
  for (const probe of probes) {
    const { status, stderr } = spawnSync(probe, { shell: true, encoding: 'utf8', cwd: tmpdir() });
    if (status === 0) continue;
    const reason = `does not work here: ${probe}: ${stderr.trim().split('\n')[0]}`;
    if (process.env['CI'] === 'true' && process.platform === 'linux') throw new Error(reason);
    return reason;
  }
  return false;
}

/** Why only Linux can run a test: a reason to skip it, or false. */
export const onlyLinux = process.platform !== 'linux' && 'only Linux can be without a display';

/** Why nothing can stand in for the clipboard's helper: a reason to skip a test, or false. */
export const noHelper = process.platform === 'win32' && 'Windows has its clipboard without a helper in PATH';

/** The environment of a clipboard whose helper runs a line of shell: in place of xsel, on a Mac of pbcopy. */
export function helper(line: string): Env {
  const bin = folder();
  const name = process.platform === 'darwin' ? 'pbcopy' : 'xsel';
  writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  return { PATH: `${bin}:${process.env['PATH']}`, DISPLAY: ':54321', SSH_CONNECTION: undefined };
}

/** The commands that have to be there for startX11 and startWayland. */
export const X11 = ['Xvfb -help', 'xclip -version'];
export const WAYLAND = ['sway --version', 'wl-copy --version', 'wl-paste --version'];

/** An X11 display of a test's own, without a screen, until its end. */
export async function startX11() {
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '64x64x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  after(() => server.kill());
  const [number] = await once(server.stdio[3]!, 'data');
  const DISPLAY = `:${String(number).trim()}`;
  return {
    env: { DISPLAY, SSH_CONNECTION: undefined },
    /** The same display as sshd forwards it: over TCP. */
    async forward() {
      const { port } = await tcp((socket) => {
        const x11 = connect(`/tmp/.X11-unix/X${DISPLAY.slice(1)}`).on('error', () => {});
        socket.pipe(x11).pipe(socket);
      });
      return { DISPLAY: `localhost:${port - 6000}` };
    },
    paste: async () => {
      const { code, stdout } = await run({ command: ['xclip', '-selection', 'clipboard', '-out'], env: { DISPLAY } });
      return code === 0 ? stdout : undefined;
    },
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

/** Files in a folder, dotfiles too. */
export const files = (path: string): string[] => readdirSync(resolve(path)).sort();
