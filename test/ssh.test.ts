/** The clipboard of the machine in front of the user: over SSH, in tmux and GNU screen, and in a container. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fakeClipboard, fakeCommands, startX11 } from './clipboard.ts';
import { TOKEN } from './mock-zoom.ts';
import { S2S_QUOTED, folder, withCredentials } from './script.ts';
import { sharedMockZoom } from './servers.ts';
import { X11, isWindows, skipWithout, skipWithoutFakeClipboard, skipWithoutLinux } from './skip.ts';
import { inTerminal, redirecting, session } from './terminal.ts';

const BASE64 = Buffer.from(TOKEN).toString('base64');
const OSC52 = `\x1b]52;c;${BASE64}\x07`;
const ASKED = 'Asked your terminal to copy the token. Expires at ';
const NO_CLIPBOARD = 'No clipboard is available, so the token was not copied. Expires at ';

describe('the script in a terminal', { concurrency: 3, skip: inTerminal.skip }, () => {
  const zoom = sharedMockZoom();

  describe('in tmux', { skip: skipWithout('tmux -V') }, () => {
    const desktop = fakeClipboard();
    for (const { name, option = '', env = {}, message = 'Copied to tmux buffer s2s and offered to your terminal.' } of [
      { name: 'tmux' },
      { name: 'tmux with set-clipboard on', option: 'set -s set-clipboard on' },
      { name: 'tmux with TERM=screen', option: 'set -g default-terminal screen' },
      { name: 'tmux on a desktop whose clipboard fails', env: fakeClipboard('exit 1') },
      { name: 'tmux on a desktop', env: desktop, message: 'Copied to the clipboard and tmux buffer s2s.' },
    ])
      it(`copies to one buffer of ${name}, and to the terminal outside`, async () => {
        const cwd = folder({ 'tmux.conf': `set -g default-shell /bin/sh\n${option}\n` });
        const runTwice = `${S2S_QUOTED} 2>> log; ${S2S_QUOTED} 2>> log`;
        const line = `${runTwice}; tmux list-buffers -F '#{buffer_name}' >> log; tmux show-buffer >> log`;
        const command = ['tmux', '-S', join(cwd, 'socket'), '-f', 'tmux.conf', 'new-session', line];
        const { raw } = await session({ cwd, command, env: withCredentials(zoom, env) });
        const log = readFileSync(join(cwd, 'log'), 'utf8');
        assert.equal(log.replace(/ Expires at .*, in 60 minutes\./g, ''), `${message}\n${message}\ns2s\n${TOKEN}`);
        assert.ok(raw.includes(`;${BASE64}`), 'the terminal outside is asked to copy');
      });
  });

  for (const { name, line, seconds } of [
    { name: 'fails, because it is older than 3.2', line: 'cat > /dev/null; exit 1', seconds: 0 },
    { name: 'hangs for 5 seconds', line: 'exec sleep 60', seconds: 5 },
  ])
    it(`asks the terminal to copy the token if tmux ${name}`, { skip: skipWithoutFakeClipboard }, async () => {
      const PATH = `${fakeCommands({ tmux: line })}:${process.env['PATH']}`;
      const started = performance.now();
      const { raw, words } = await session({ env: withCredentials(zoom, { TMUX: '/socket,1,0', PATH }) });
      const ms = performance.now() - started;
      assert.ok(raw.includes(OSC52) && words.includes(ASKED), words);
      assert.ok(ms > seconds * 1000 && ms < 40_000, `${ms} ms`);
    });

  it('leaves no garbage in GNU screen', { skip: skipWithout('screen --version') }, async () => {
    const command = ['screen', '-c', '/dev/null', 'sh', '-c', S2S_QUOTED];
    const { screen, words } = await session({ command, env: withCredentials(zoom, { SCREENDIR: folder() }) });
    assert.ok(words.includes(NO_CLIPBOARD), words);
    const unwrapped = screen.replace(/\s+/g, '');
    assert.ok(unwrapped.includes(TOKEN) && !unwrapped.includes(BASE64.slice(-40)), screen);
  });

  it('copies to a forwarded X11 display, not to one of the remote machine', { skip: skipWithout(...X11) }, async () => {
    const x11 = await startX11();
    const env = withCredentials(zoom, { ...x11.env, SSH_TTY: '/dev/pts/0' });
    const remote = await session({ env });
    assert.ok(remote.raw.includes(OSC52) && remote.words.includes(ASKED), remote.words);
    assert.equal(await x11.paste(), undefined, 'the clipboard of the remote machine is empty');
    const forwarded = await session({ env: { ...env, ...(await x11.forward()) } });
    assert.ok(!forwarded.raw.includes('\x1b]52') && forwarded.words.includes('Copied to the clipboard. '));
    assert.equal(await x11.paste(), TOKEN);
    const wayland = await session({ env: { ...env, ...(await x11.forward()), WAYLAND_DISPLAY: 'wayland-0' } });
    assert.ok(wayland.raw.includes(OSC52), 'the Wayland display belongs to the remote machine');
  });

  const skipOnWindows = isWindows && 'a Windows console does not pass on OSC 52';
  for (const { name, env = {}, streams = {}, sends = true, skip = false } of [
    { name: 'over SSH', skip: skipOnWindows },
    { name: 'over SSH if stdout is redirected', streams: { command: redirecting(1, 'log') }, skip: skipOnWindows },
    { name: 'in a container', env: { SSH_CONNECTION: undefined }, skip: skipWithoutLinux },
    { name: 'if stderr is redirected', streams: { command: redirecting(2, 'log') }, sends: false },
    { name: 'in GNU screen', env: { TERM: 'screen' }, sends: false },
    { name: 'in GNU screen with a longer TERM', env: { TERM: 'screen.xterm-256color' }, sends: false },
    { name: 'in GNU screen with another TERM', env: { TERM: 'xterm', STY: '1.pts-0.host' }, sends: false },
    { name: 'in a dumb terminal', env: { TERM: 'dumb' }, sends: false },
  ])
    it(`${sends ? 'asks the terminal to copy the token' : 'sends no OSC 52'} ${name}`, { skip }, async () => {
      const cwd = folder({ log: '' });
      const { raw, words } = await session({ cwd, env: withCredentials(zoom, env), ...streams });
      const log = readFileSync(join(cwd, 'log'), 'utf8');
      assert.equal(raw.includes(OSC52), sends);
      assert.ok(`${words}${log}`.includes(sends ? ASKED : NO_CLIPBOARD), words);
      assert.ok(!log.includes('\x1b'), 'no escape sequence is redirected');
    });
});
