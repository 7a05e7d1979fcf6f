/** Runs the script without a terminal, as a process of its own, and checks what it prints. */

import assert from 'node:assert/strict';
import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import fc from 'fast-check';
import { ACCOUNT, BASIC } from './mock-zoom.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));
const script = join(root, 's2s.ts');
const withoutTsx = process.env['S2S_RUNNER'] === 'node';

const folders: string[] = [];
// Delete at exit, not in a hook: Windows does not delete a folder that a process is in, and after a hook that fails, the
// later hooks, which would end such a process, do not run.
process.on('exit', () => folders.forEach((path) => rmSync(path, { recursive: true, force: true, maxRetries: 5 })));

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

/** The command that starts the script: tsx or, if S2S_RUNNER is "node", Node alone (22.18 or later strips types). */
export const S2S = [process.execPath, ...(withoutTsx ? [] : [join(root, 'node_modules/tsx/dist/cli.mjs')]), script];

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

/** Returns a command that runs the script in bash, followed by the rest of a command line, such as a redirection. */
export const inBash = (rest: string): string[] => ['bash', '-c', `${S2S_QUOTED} ${rest}`];

export type Env = Record<string, string | undefined>;

/** A temporary folder for all processes that a test file starts, so that they share the cache that tsx keeps there. */
const temporary = folder();

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

/** Returns an environment in which the script runs some JavaScript first. */
export function preloading(code: string): Env {
  const path = join(folder({ 'preload.cjs': code }), 'preload.cjs');
  return { NODE_OPTIONS: `${environment()['NODE_OPTIONS']} --require=${JSON.stringify(path)}` };
}

/** Returns the variables with which the script gets a token from a server without prompting. */
export function withCredentials(server: { url: string }, env: Env = {}): Env {
  return { ...ACCOUNT, ZOOM_HOST: server.url, ...env };
}

/** Returns the same without the account ID, so that the script prompts for it. */
export function withoutAccountId(server: { url: string }): Env {
  return withCredentials(server, { ZOOM_ACCOUNT_ID: undefined });
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
export const run = (options: Run): Promise<Result> => start(options).result;

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

/** What the script says if a file and the environment lack credentials. */
export const notSet = (file: string, names: string) => `Not set in the environment or in ${file}: ${names}.`;

/** What the script says after a rejection if the environment sets credentials. */
export const setByEnvironment = (names: string) =>
  `s2s does not prompt for what the environment sets: ${names}. Fix or unset what is wrong.`;

/** What the script advises after most network errors. */
export const CHECK_NETWORK = 'Check your network, VPN, and firewall, or set HTTPS_PROXY.\n';

/** Expects exit code 1 and exactly this message, where HOST and ORIGIN stand for the server's. */
export async function expectFailure(server: { url: string }, message: string, env: Env = {}): Promise<Result> {
  const result = await run({ env: withCredentials(server, env) });
  const { host, origin } = new URL(server.url);
  const stderr = message.replace(/\bHOST/g, host).replaceAll('ORIGIN', origin);
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
export function expectNoSecret(output: string): void {
  for (const secret of [ACCOUNT.ZOOM_CLIENT_SECRET, BASIC])
    assert.ok(!output.includes(secret), `the output contains the secret: ${output}`);
}

/** The number of random cases that each property is checked with by default, and the first seed. */
const numRuns = Number(process.env['S2S_RUNS'] ?? 12);
const seed = Number(process.env['S2S_SEED'] ?? 1);
/** How many random cases run at once. */
const LANES = 4;
/** Tells which cases a test tries: a part of its name. */
export const SEED = `S2S_SEED=${seed}`;

/** Calls a check with random inputs, in several lanes at once. Each lane prepares what its runs share. */
export async function checkProperty<T>(input: fc.Arbitrary<T>, prepare: () => Promise<(input: T) => Promise<void>>) {
  const lane = async (_: unknown, nth: number) => {
    const property = fc.asyncProperty(input, await prepare());
    const options = { seed: seed + nth, numRuns: Math.ceil(numRuns / LANES) };
    await fc.assert(property, { ...options, endOnFailure: true, includeErrorInReport: true });
  };
  // Wait for all lanes before the test fails, because its hooks end what the lanes use.
  const results = await Promise.allSettled(Array.from({ length: LANES }, lane));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
