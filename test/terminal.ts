/** Runs the script in a real terminal, and types at its prompts. */

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import type { IPty } from '@lydell/node-pty';
import xterm from '@xterm/headless';
import { ACCOUNT } from './mock-zoom.ts';
import { type Run, S2S_WITHOUT_TSX, dotenv, environment, expectNoSecret, folder } from './script.ts';
import { isWindows } from './skip.ts';
import * as windows from './windows-console.ts';

const pty = await import('@lydell/node-pty').catch(() => undefined);
/** Options for tests that need a terminal. */
export const inTerminal = { skip: !pty && 'node-pty has no build for this system' };
/** Options for tests that need a terminal and features that only Unix has. */
const skipOnWindows = isWindows && 'Windows has no POSIX shell, signals, file modes, or terminal modes';
export const inUnixTerminal = { skip: inTerminal.skip || skipOnWindows };

// Report the exit code and whether the terminal mode changed; then hold the terminal until all output is read.
const WRAPPER = `trap : INT
  mode=$(stty -g)
  sh -c 'echo $$ >"$HOME/pid"; exec "$@"' sh "$@"
  printf '[exit code %d%s]' $? "$([ "$(stty -g)" = "$mode" ] || echo ', terminal mode changed')"
  read -r _`;
const HOLDER = isWindows ? windows.HOLDER : ['sh', '-c', WRAPPER, 'sh'];
const REPORT = /\[exit code (\d+)(.*)\]/;
/** What stands between a prompt and its value. */
export const POINTER = isWindows ? '»' : '›';

/** Runs the script in a terminal: 80 columns wide unless said otherwise, but a Windows console has its own width. */
export class Terminal {
  #output = '';
  #seen = 0;
  #pty!: IPty;
  #home: string;
  #events = new EventEmitter();
  #display: xterm.Terminal;
  #seenThere = new Map<string, number>(); // How many times each string that is still on the display was seen.

  constructor({ args = [], env = {}, cwd = folder(), command = S2S_WITHOUT_TSX, cols = 80 }: Run & { cols?: number }) {
    const fullEnv = environment(env);
    this.#home = fullEnv['HOME'] ?? '';
    const size = isWindows ? windows.SIZE : { cols, rows: 24 };
    this.#display = new xterm.Terminal({ ...size, allowProposedApi: true });
    const [holder = '', ...rest] = [...HOLDER, ...command, ...args];
    const open = () => {
      const signal = isWindows ? windows.createSignal() : undefined;
      this.#pty = pty!.spawn(holder, rest, { ...size, cwd, env: { ...fullEnv, ...signal?.env } });
      this.#pty.onData((data) => {
        signal?.go();
        const parts = isWindows ? windows.splitChanges(data) : [data];
        for (const part of parts) this.#display.write(part, () => this.#receive(part));
      });
    };
    open();
    // Replace a Windows console that shows nothing. It has not run the command yet.
    const check = () => void (this.#output || this.#close().then(open));
    const timer = isWindows ? setInterval(check, 15_000) : undefined;
    after(() => {
      clearInterval(timer);
      return this.#close();
    });
  }

  /** Ends the terminal and what runs in it. */
  async #close(): Promise<void> {
    if (isWindows) await windows.closeConsole(this.#pty);
    else this.#pty.kill();
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

  /** Returns the output so far, without escape sequences or carriage returns. On Windows, returns the display. */
  get screen(): string {
    if (isWindows) return this.display;
    return stripVTControlCharacters(this.raw.replace(/\x1b[78]/g, '')).replaceAll('\r', '');
  }

  /** Returns the same with each white space as one space, because the script wraps its messages. */
  get words(): string {
    return this.screen.replace(/\s+/g, ' ');
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
        throw new Error(`Did not find ${description} on this display:\n${this.display}`);
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
  const { display, screen, raw, words } = terminal;
  assert.deepEqual({ code: exitCode, display }, { code, display });
  return { screen, raw, words, dotenv: dotenv(cwd) };
}

/** Returns a command that runs the script with stdout (1) or stderr (2) redirected to a file, without a shell. */
export function redirecting(stream: 1 | 2, file: string, ...args: string[]): string[] {
  const stdio = [0, 1, 2].map((fd) => (fd === stream ? `require('node:fs').openSync('${file}', 'w')` : fd));
  const start = `require('node:child_process').spawn(process.argv[1], process.argv.slice(2), { stdio: [${stdio}] })`;
  const code = `${start}.on('exit', (code) => (process.exitCode = code))`;
  return [process.execPath, '-e', code, ...S2S_WITHOUT_TSX, ...args];
}
