/**
 * What differs in a Windows console, in which terminal.ts runs the script on Windows. A console sends changes to its
 * display, in any order, instead of the output; so tests look at the display, which is wide enough that no line wraps.
 * One console in a hundred shows nothing in Wine, and is replaced.
 */

import { existsSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import type { IPty } from '@lydell/node-pty';
import { folder, root } from './script.ts';

/** As wide as a token is long. */
export const SIZE = { cols: 1000, rows: 100 };

/** The command that starts another in a console, after receiving a signal to go: see console.mjs. */
export const HOLDER = [process.execPath, join(root, 'test/console.mjs')];

/** Returns a variable that names the file for which console.mjs waits, and a function that creates this file. */
export function createSignal() {
  const file = join(folder(), 'go');
  return { env: { S2S_GO: file }, go: () => existsSync(file) || writeFileSync(file, '') };
}

/** Splits what a console sends into changes to its display, each of which begins with hiding the cursor. */
export function splitChanges(data: string): string[] {
  return data.split(/(?=\x1b\[\?25l)/);
}

/** The private fields of node-pty by which a console can be closed. */
type WindowsPty = {
  _agent: {
    _ptyNative: { kill(id: number): void };
    _pty: number;
    _conoutSocketWorker: { _worker: Worker };
    inSocket: Socket;
    outSocket: Socket;
  };
};

/** Closes a console without node-pty's kill(), which waits for output and for another process, and may never end. */
export async function closeConsole(pty: IPty): Promise<void> {
  const { _ptyNative, _pty, _conoutSocketWorker, inSocket, outSocket } = (pty as unknown as WindowsPty)._agent;
  _ptyNative.kill(_pty);
  inSocket.destroy();
  outSocket.on('error', () => {}).destroy();
  await _conoutSocketWorker._worker.terminate();
}
