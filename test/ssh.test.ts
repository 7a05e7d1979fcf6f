/** The clipboard of the user's own machine: over SSH, in tmux, and in GNU screen. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  S2S_QUOTED,
  X11,
  environment,
  expectRun,
  fakeClipboard,
  folder,
  inTerminal,
  noFakeClipboard,
  notLinux,
  redirecting,
  run,
  session,
  sharedMockZoom,
  skipUnless,
  startX11,
  withCredentials,
} from './helpers.ts';
import { TOKEN } from './mock-zoom.ts';

const PRINTED = 'Zoom Server-to-Server Oauth token:\n';
const ASKED = 'Asked your terminal to copy the token.\n';
const NO_CLIPBOARD = /Cannot use the clipboard \(this is an SSH session\)\.\nCopy the token from the output\.\n/;
const OSC52 = `\x1b]52;c;${Buffer.from(TOKEN).toString('base64')}\x07`;
/** Runs the script in tmux or GNU screen, which have to stay open until their screen is read. */
const REPORT_STATUS = `${S2S_QUOTED}; echo "status $?"; sleep 60`;

describe('the script in a terminal session', { concurrency: 2 }, () => {
  const zoom = sharedMockZoom();

  describe('in tmux', { skip: skipUnless('tmux -V') }, () => {
    for (const options of ['', 'set -s set-clipboard on\n', 'set -g default-terminal screen\n'])
      it(`copies through tmux, with ${options.trim() || 'its defaults'}`, async () => {
        const cwd = folder({ 'tmux.conf': `set -g default-shell /bin/sh\n${options}` });
        const env = environment(withCredentials(zoom));
        const tmux = (...args: string[]) =>
          execFileSync('tmux', ['-S', 'socket', '-f', 'tmux.conf', ...args], { cwd, env, encoding: 'utf8' });
        tmux('new-session', '-d', '-x', '80', '-y', '50', REPORT_STATUS);
        try {
          let screen = '';
          while (!/status \d+/.test((screen = tmux('capture-pane', '-p')))) await sleep(50);
          assert.match(screen, /status 0/);
          assert.ok(
            screen.includes('Copied the token to a tmux buffer, and asked your terminal to copy it.\n'),
            screen,
          );
          assert.ok(!screen.includes('copied'));
          assert.equal(tmux('show-buffer'), TOKEN);
        } finally {
          tmux('kill-server');
        }
      });

    it('passes the token through tmux to the terminal outside', inTerminal, async () => {
      const cwd = folder({ 'tmux.conf': 'set -g default-shell /bin/sh\n' });
      const line = `${S2S_QUOTED} --version >/dev/null; ${S2S_QUOTED}`;
      const command = ['tmux', '-S', join(cwd, 'socket'), '-f', join(cwd, 'tmux.conf'), 'new-session', line];
      const { raw } = await session({ cwd, command, env: withCredentials(zoom) });
      assert.ok(raw.includes(`;${Buffer.from(TOKEN).toString('base64')}`), 'the terminal outside is asked to copy');
    });
  });

  it('sends OSC 52 if tmux is too old for load-buffer -w', { skip: inTerminal.skip || noFakeClipboard }, async () => {
    const PATH = folder();
    writeFileSync(join(PATH, 'tmux'), '#!/bin/sh\ncat > /dev/null; exit 1\n', { mode: 0o755 });
    const env = withCredentials(zoom, { TMUX: '/socket,1,0', TERM: 'screen', PATH: `${PATH}:${process.env['PATH']}` });
    const { raw, screen } = await session({ env });
    assert.ok(raw.includes(OSC52) && screen.includes(ASKED), screen);
  });

  it('leaves no garbage in GNU screen', { skip: skipUnless('screen --version') }, async () => {
    const cwd = folder();
    const env = environment(withCredentials(zoom, { SCREENDIR: join(cwd, 'sockets') }));
    mkdirSync(join(cwd, 'sockets'), { mode: 0o700 });
    const screen = (...args: string[]) => execFileSync('screen', ['-S', 's2s', ...args], { cwd, env, stdio: 'pipe' });
    screen('-d', '-m', '-c', '/dev/null', 'sh', '-c', REPORT_STATUS);
    try {
      const hardcopy = join(cwd, 'hardcopy');
      let text = '';
      while (!/status \d+/.test(text)) {
        await sleep(50);
        screen('-p', '0', '-X', 'hardcopy', '-h', hardcopy);
        text = existsSync(hardcopy) ? readFileSync(hardcopy, 'utf8') : '';
      }
      assert.match(text, /status 0/);
      const unwrapped = text.replaceAll('\n', '');
      assert.equal(unwrapped.split(TOKEN).length, 2);
      assert.ok(!unwrapped.includes(OSC52.slice(-40, -1)));
    } finally {
      screen('-X', 'quit');
    }
  });

  it(
    'copies to a forwarded X11 display, but not to one of the remote machine',
    { skip: inTerminal.skip || skipUnless(...X11) },
    async () => {
      const x11 = await startX11();
      const env = withCredentials(zoom, { ...x11.env, SSH_TTY: '/dev/pts/0' });
      const remote = await session({ env });
      assert.ok(remote.raw.includes(OSC52));
      assert.ok(remote.screen.includes(ASKED) && remote.screen.includes(PRINTED));
      assert.equal(await x11.paste(), undefined, 'the clipboard of the remote machine is empty');
      const forwarded = await session({ env: { ...env, ...(await x11.forward()) } });
      assert.ok(!forwarded.raw.includes(OSC52) && forwarded.screen.includes('copied to clipboard'));
      assert.equal(await x11.paste(), TOKEN);
      const wayland = await session({ env: { ...env, ...(await x11.forward()), WAYLAND_DISPLAY: 'wayland-0' } });
      assert.ok(wayland.raw.includes(OSC52), 'the Wayland display belongs to the remote machine');
    },
  );

  it('sends OSC 52 without SSH or a display, as in a container', { skip: notLinux || inTerminal.skip }, async () => {
    const { raw, screen } = await session({ env: withCredentials(zoom, { SSH_CONNECTION: undefined }) });
    assert.ok(raw.includes(OSC52));
    assert.ok(screen.includes(`\nCannot use the clipboard (there is no display).\n${ASKED}Expires at `), screen);
  });

  it('sends no OSC 52 if stdout is not a terminal', inTerminal, async () => {
    const cwd = folder();
    const { raw, screen } = await session({ command: redirecting(1, 'out'), cwd, env: withCredentials(zoom) });
    assert.ok(!raw.includes('\x1b]52') && !readFileSync(join(cwd, 'out'), 'utf8').includes('\x1b'));
    assert.match(screen, NO_CLIPBOARD);
  });

  it('sends no OSC 52 if it copied the token', { skip: inTerminal.skip || noFakeClipboard }, async () => {
    const COPY = join(folder(), 'copy');
    const { raw } = await session({ env: withCredentials(zoom, { ...fakeClipboard('cat > "$COPY"'), COPY }) });
    assert.ok(!raw.includes('\x1b]52'));
    assert.equal(readFileSync(COPY, 'utf8'), TOKEN);
  });

  for (const { name, env } of [
    { name: 'GNU screen', env: { TERM: 'screen' } },
    { name: 'GNU screen with a longer TERM', env: { TERM: 'screen.xterm-256color' } },
    { name: 'GNU screen with another TERM', env: { TERM: 'xterm', STY: '1.pts-0.host' } },
    { name: 'a dumb terminal', env: { TERM: 'dumb' } },
  ])
    it(`sends no OSC 52 to ${name}`, inTerminal, async () => {
      const { raw, screen } = await session({ env: withCredentials(zoom, env) });
      assert.ok(!raw.includes('\x1b]52'));
      assert.match(screen, NO_CLIPBOARD);
    });

  const notMac = process.platform !== 'darwin' && 'only macOS has pbcopy';
  it('does not use the clipboard of a Mac reached with ssh -X', { skip: notMac }, async () => {
    const LOG = join(folder(), 'log');
    const remote = { DISPLAY: 'localhost:10.0', SSH_TTY: '/dev/ttys0' };
    const env = withCredentials(zoom, { ...fakeClipboard('echo called > "$LOG"'), LOG, ...remote });
    expectRun(await run({ env }), { stdout: new RegExp(PRINTED), stderr: NO_CLIPBOARD });
    assert.ok(!existsSync(LOG));
  });
});
