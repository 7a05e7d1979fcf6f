/** Reasons to skip tests: each is a string, or false if the tests can run here. */

import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';

export const isWindows = process.platform === 'win32';
export const isRoot = process.getuid?.() === 0;

/** Returns a reason if one of these commands fails. In CI on Linux, where all must work, a failing command is an error. */
export function skipWithout(...commands: string[]): string | false {
  for (const command of commands) {
    const { status, stderr } = spawnSync(command, { shell: true, encoding: 'utf8', cwd: tmpdir() });
    if (status === 0) continue;
    const reason = `does not work here: ${command}: ${stderr.trim().split('\n')[0]}`;
    if (process.env['CI'] === 'true' && process.platform === 'linux') throw new Error(reason);
    return reason;
  }
  return false;
}

export const skipWithoutBash = skipWithout('bash --version');
export const supportsProxies = process.allowedNodeEnvironmentFlags.has('--use-env-proxy');
export const skipWithoutProxies = !supportsProxies && `Node ${process.version} does not support proxies`;
export const skipWithoutTypeStripping = !process.features.typescript && `Node ${process.version} does not strip types`;
export const skipWithoutLinux = process.platform !== 'linux' && 'only Linux behaves like this';
export const skipWithoutFakeClipboard = isWindows && 'the clipboard of Windows needs no command from PATH';

/** Begins a command that runs as root in a namespace of its own, such as one of mounts or of processes. */
export const unshare = (...flags: string[]) => ['unshare', ...flags, ...(isRoot ? [] : ['--user', '--map-root-user'])];

export const X11 = ['Xvfb -help', 'xclip -version'];
export const WAYLAND = ['sway --version', 'wl-copy --version', 'wl-paste --version'];
