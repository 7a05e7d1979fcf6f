/** Clipboards for tests: commands that stand in for the system's, a headless X11 display, and a Wayland compositor. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Env, environment, files, folder, run } from './script.ts';
import { startTcpServer } from './servers.ts';
import { isRoot } from './skip.ts';

/** Returns a folder with commands, each of which runs a line of shell. */
export function fakeCommands(lines: Record<string, string>): string {
  const bin = folder();
  for (const [name, line] of Object.entries(lines))
    writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  return bin;
}

/** Returns an environment whose clipboard command (xsel, or pbcopy on macOS) runs a line of shell instead. */
export function fakeClipboard(line = 'cat > /dev/null', others: Record<string, string> = {}): Env {
  const bin = fakeCommands({ [process.platform === 'darwin' ? 'pbcopy' : 'xsel']: line, ...others });
  return { PATH: `${bin}:${process.env['PATH']}`, DISPLAY: ':54321', SSH_CONNECTION: undefined };
}

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
  const headless = { WLR_BACKENDS: 'headless', WLR_LIBINPUT_NO_DEVICES: '1', WLR_RENDERER: 'pixman' };
  const compositor = spawn('sway', ['--config', '/dev/null'], {
    stdio: 'ignore',
    ...(isRoot ? { uid: nobody, gid: nobody } : {}),
    env: environment({ XDG_RUNTIME_DIR: runtime, HOME: runtime, ...headless }),
  });
  after(() => compositor.kill());
  let socket: string | undefined;
  while (!(socket = files(runtime).find((name) => /^wayland-\d+$/.test(name)))) await sleep(50);
  const session = { WAYLAND_DISPLAY: socket, XDG_SESSION_TYPE: 'wayland', SSH_CONNECTION: undefined };
  const env = { XDG_RUNTIME_DIR: runtime, ...session };
  return { env, paste: async () => (await run({ command: ['wl-paste', '--no-newline'], env })).stdout };
}
