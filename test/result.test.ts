/** A successful run: what it copies, and what it prints on stdout and stderr. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  type Env,
  S2S,
  UNSHARE,
  WAYLAND,
  X11,
  expectRun,
  fakeClipboard,
  files,
  folder,
  inBash,
  inTerminal,
  noFakeClipboard,
  notLinux,
  ownMockZoom,
  root,
  run,
  session,
  sharedMockZoom,
  skipUnless,
  startTcpServer,
  startWayland,
  startX11,
  withCredentials,
} from './helpers.ts';
import { ACCOUNT, SCOPES, TOKEN, TOKEN_RESPONSE, respondWith } from './mock-zoom.ts';

const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;

/** Returns what Zoom's s2s.js prints. */
const output = (heading: string, scopes = SCOPES) =>
  ['', heading, '-'.repeat(54), TOKEN, '', 'Scopes:', '-------', ...scopes, ''].join('\n');
const COPIED = output('Zoom Server-to-Server Oauth token copied to clipboard:');
const PRINTED = output('Zoom Server-to-Server Oauth token:');

/** Returns what stderr is if the token is not copied. */
const noClipboard = (reason: RegExp) =>
  new RegExp(`^No clipboard here \\(${reason.source}\\): copy the token from the output\\.\nExpires at .*\n$`);

/** Runs the script against a mock server with this token response. */
const runWith = async (response: unknown, env: Env = {}) =>
  run({ env: withCredentials(await ownMockZoom(respondWith(200, response)), env) });

describe('the token', { concurrency: 4 }, () => {
  const zoom = sharedMockZoom();

  it('copies the token to the X11 clipboard and prints like the original', { skip: skipUnless(...X11) }, async () => {
    const x11 = await startX11();
    const result = await run({ command: S2S, env: withCredentials(zoom, x11.env) });
    expectRun(result, { code: 0, stdout: COPIED, stderr: /^Expires at \d\d:\d\d, in 60 minutes\.\n$/ });
    assert.equal(await x11.paste(), TOKEN);
  });

  it('copies the token to the Wayland clipboard', { skip: skipUnless(...WAYLAND) }, async () => {
    const wayland = await startWayland();
    expectRun(await run({ env: withCredentials(zoom, wayland.env) }), { code: 0, stdout: COPIED });
    assert.equal(await wayland.paste(), TOKEN);
  });

  const noDisplay = { SSH_CONNECTION: undefined };
  const noCommand = () => ({ ...noDisplay, PATH: folder() });
  for (const { name, env, reason, skip = false } of [
    { name: 'in an SSH session', env: () => ({}), reason: /this is an SSH session/ },
    { name: 'without a display', env: () => noDisplay, reason: /there is no display/, skip: notLinux },
    {
      name: 'if the clipboard command fails',
      env: () => fakeClipboard('echo "command: cannot. Really" >&2; exit 1'),
      reason: /command: cannot\. Really/,
      skip: noFakeClipboard,
    },
    {
      name: 'if the clipboard command fails silently',
      env: () => fakeClipboard('exit 1'),
      reason: /[^\n]+/,
      skip: noFakeClipboard,
    },
    {
      name: 'if wl-clipboard is missing',
      env: () => ({ ...noCommand(), WAYLAND_DISPLAY: 'wayland-9' }),
      reason: /install wl-clipboard/,
      skip: notLinux,
    },
    {
      name: 'if xsel is missing',
      env: () => ({ ...noCommand(), DISPLAY: ':54321' }),
      // Includes the xsel that clipboardy brings, which is for x86-64 only.
      reason: process.arch === 'x64' ? /[^\n]*Can't open display[^\n]*/ : /install xsel/,
      skip: notLinux,
    },
  ])
    it(`prints the token and why it is not copied: ${name}`, { skip }, async () => {
      const result = await run({ env: withCredentials(zoom, env()) });
      expectRun(result, { code: 0, stdout: PRINTED, stderr: noClipboard(reason) });
    });

  it('prints why xsel failed if HOME is not writable', { skip: skipUnless(...X11, 'which xsel') }, async () => {
    const x11 = await startX11();
    const result = await run({ env: withCredentials(zoom, { ...x11.env, HOME: '/nonexistent' }) });
    const stderr = noClipboard(/xsel: error opening logfile \/nonexistent\/[^\n]+/);
    expectRun(result, { code: 0, stdout: PRINTED, stderr });
  });

  const hideBundledXsel = 'mount --bind /dev/null node_modules/clipboardy/fallbacks/linux/xsel';
  const canHide = `cd '${root}' && ${UNSHARE.join(' ')} ${hideBundledXsel}`;
  it('names the package to install on ARM', { skip: notLinux || skipUnless(canHide) }, async () => {
    const script = `cd "$0" && ${hideBundledXsel} && cd "$OLDPWD" && PATH="$EMPTY" exec "$@"`;
    const command = [...UNSHARE, 'sh', '-c', script, root, ...S2S];
    const env = { EMPTY: folder(), DISPLAY: ':54321', SSH_CONNECTION: undefined };
    const result = await run({ command, env: withCredentials(zoom, env) });
    expectRun(result, { code: 0, stdout: PRINTED, stderr: noClipboard(/install xsel/) });
  });

  it('gives up on a hanging clipboard command after 5 seconds', { skip: noFakeClipboard }, async () => {
    const { port, server } = await startTcpServer();
    const ended = once(server, 'connection').then(([socket]) => once((socket as Socket).resume(), 'close'));
    const line = `exec '${process.execPath}' -e 'require("node:net").connect(${port}, "127.0.0.1")'`;
    const result = await run({ env: withCredentials(zoom, fakeClipboard(line)) });
    const stderr = noClipboard(/its helper did not answer in 5 seconds/);
    expectRun(result, { code: 0, stdout: PRINTED, stderr });
    assert.ok(result.ms > 5000, `${result.ms} ms`);
    await ended;
  });

  for (const { source, env } of [
    { source: 'the environment', env: ACCOUNT },
    { source: '.env', env: { ZOOM_ACCOUNT_ID } },
  ])
    it(`passes no credentials from ${source} to the clipboard command`, { skip: noFakeClipboard }, async () => {
      const cwd = folder({
        '.env': `ZOOM_CLIENT_SECRET=${ZOOM_CLIENT_SECRET}\nZOOM_CLIENT_ID=${ZOOM_CLIENT_ID}\n`,
      });
      const LOG = join(cwd, 'log');
      const clipboard = fakeClipboard('env > "$LOG"; echo "$0 $@" >> "$LOG"; cat >> "$LOG"');
      expectRun(await run({ cwd, env: { ...env, ...clipboard, ZOOM_HOST: zoom.url, LOG } }), { stdout: COPIED });
      const log = readFileSync(LOG, 'utf8');
      assert.match(log, /\/(xsel --clipboard --input|pbcopy )\n/);
      assert.ok(log.endsWith(`\n${TOKEN}`));
      for (const text of ['ZOOM_CLIENT_SECRET', ...Object.values(ACCOUNT)]) assert.ok(!log.includes(text));
    });

  for (const { expires_in, minutes } of [
    { expires_in: 3600, minutes: '60 minutes' },
    { expires_in: 1800, minutes: '30 minutes' },
    { expires_in: 45, minutes: '1 minute' },
  ])
    it(`prints when the token expires, in local time: in ${minutes}`, async () => {
      const timeZone = 'Asia/Kolkata';
      const expiry = () =>
        new Date(Date.now() + expires_in * 1000).toLocaleTimeString('en-GB', { timeZone, timeStyle: 'short' });
      const earliest = expiry();
      const { stderr } = await runWith({ ...TOKEN_RESPONSE, expires_in }, { TZ: timeZone });
      const possible = [earliest, expiry()].map((time) => `Expires at ${time}, in ${minutes}.`);
      assert.ok(possible.includes(stderr.split('\n')[1] ?? ''), stderr);
    });

  for (const expires_in of [undefined, 'soon', -1, 1e300])
    it(`prints no expiry if expires_in is ${expires_in}`, async () => {
      const stderr = /^No clipboard here .*\n$/;
      expectRun(await runWith({ ...TOKEN_RESPONSE, expires_in }), { code: 0, stderr });
    });

  for (const scope of [undefined, '', null])
    it(`says where to add scopes if the scope is ${JSON.stringify(scope) ?? 'missing'}`, async () => {
      expectRun(await runWith({ ...TOKEN_RESPONSE, scope }), {
        code: 0,
        stdout: output('Zoom Server-to-Server Oauth token:', []),
        stderr: /\nThe app has no scopes, [^\n]* Scopes, https:\/\/marketplace\.zoom\.us\/\.\n/,
      });
    });

  it('prints all scopes if there are many', async () => {
    const scopes = Array.from({ length: 150 }, (_, i) => `scope:${i}:admin`);
    const stdout = output('Zoom Server-to-Server Oauth token:', scopes);
    expectRun(await runWith({ ...TOKEN_RESPONSE, scope: scopes.join(' ') }), { stdout });
  });

  it('succeeds if a pipe is closed before all output is read', { skip: skipUnless('bash --version') }, async () => {
    const scope = Array.from({ length: 20_000 }, (_, i) => `scope:${i}`).join(' ');
    const server = await ownMockZoom(respondWith(200, { ...TOKEN_RESPONSE, scope }));
    const result = await run({ command: inBash('| head -2; echo ${PIPESTATUS[0]}'), env: withCredentials(server) });
    assert.equal(result.stdout, '\nZoom Server-to-Server Oauth token:\n0\n');
    assert.doesNotMatch(result.stderr, /EPIPE|Cannot/);
  });

  it('fails if stdout cannot be written', { skip: skipUnless('bash -c "test -c /dev/full"') }, async () => {
    const result = await run({ command: inBash('> /dev/full'), env: withCredentials(zoom) });
    expectRun(result, { code: 1, stderr: 'Cannot write the result: no space left on device.\n' });
  });
});

describe('npm run demo', () => {
  const command = ['npm', 'run', '--silent', 'demo'];
  const env = { npm_config_update_notifier: 'false' };
  const NOTE =
    'Demo: this token is from a mock server and does not work with Zoom. Like a real one, it is copied to your clipboard.\n';

  it('demonstrates the script without a Zoom account, in a pipe', async () => {
    const before = files(root);
    const result = await run({ command, cwd: root, env, shell: process.platform === 'win32' }); // npm.cmd
    expectRun(result, { code: 0, stdout: PRINTED, stderr: new RegExp(`^${NOTE}`) });
    assert.deepEqual(files(root), before);
  });

  it('demonstrates the script without a Zoom account, in a terminal', inTerminal, async () => {
    const { screen } = await session({ command, cwd: root, env, answers: {} });
    assert.ok(screen.startsWith(NOTE), screen);
    assert.match(screen, /\nExpires at .*, in 60 minutes\.\n$/);
  });
});
