/** A successful run: what it copies, and what it prints on stdout and stderr. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  type Env,
  S2S,
  S2S_WITHOUT_TSX,
  Terminal,
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

/** Matches what is printed on stderr if the token is not copied. */
const noClipboard = (reason: RegExp) =>
  new RegExp(
    `^Cannot use the clipboard \\(${reason.source}\\)\\.\nCopy the token from the output\\.\nExpires at .*\n$`,
  );

/** Runs the script against a mock server with this token response. */
const runWith = async (response: unknown, env: Env = {}) =>
  run({ env: withCredentials(await ownMockZoom(respondWith(200, response)), env) });

describe('the script with a token', { concurrency: 4 }, () => {
  const zoom = sharedMockZoom();

  it('copies to the X11 clipboard and prints what the original prints', { skip: skipUnless(...X11) }, async () => {
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
  /** Returns an environment without xsel whose wl-copy writes this to stderr and fails. */
  const failingWlCopy = (message: string) => {
    const PATH = folder();
    writeFileSync(join(PATH, 'wl-copy'), `#!/bin/sh\necho "${message}" >&2; exit 1\n`, { mode: 0o755 });
    return { ...noDisplay, PATH, WAYLAND_DISPLAY: 'wayland-9' };
  };
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
      name: 'if the clipboard command fails with empty lines',
      env: () => fakeClipboard("printf '\\n\\n' >&2; exit 1"),
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
      name: 'if wl-copy cannot reach the display',
      env: () => failingWlCopy('Failed to connect to a Wayland server'),
      reason: /wl-copy failed/,
      skip: notLinux,
    },
    {
      name: 'if wl-copy fails in another way',
      env: () => failingWlCopy('No seat'),
      reason: /[^\n]*wl-copy[^\n]* failed: No seat/,
      skip: notLinux,
    },
    {
      name: 'if xsel is missing',
      env: () => ({ ...noCommand(), DISPLAY: ':54321' }),
      // clipboardy then runs the xsel that it bundles, which is for x86-64 only.
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

  const bundledXsel = join(root, 'node_modules/clipboardy/fallbacks/linux/xsel');
  const canMount = `${UNSHARE.join(' ')} mount --bind /dev/null '${bundledXsel}'`;
  it('says to install xsel on ARM', { skip: notLinux || skipUnless(canMount) }, async () => {
    // Like a program for another processor, this text is handed to a shell, which reports a syntax error.
    const foreign = join(folder(), 'xsel');
    writeFileSync(foreign, '(\n', { mode: 0o755 });
    const script = `mount --bind "$0" '${bundledXsel}' && PATH="$EMPTY" exec "$@"`;
    const env = { EMPTY: folder(), DISPLAY: ':54321', SSH_CONNECTION: undefined };
    const command = [...UNSHARE, 'sh', '-c', script, foreign, ...S2S];
    const result = await run({ command, env: withCredentials(zoom, env) });
    expectRun(result, { code: 0, stdout: PRINTED, stderr: noClipboard(/install xsel/) });
  });

  it('gives up on a hanging clipboard command after 5 seconds', { skip: noFakeClipboard }, async () => {
    let commands = 0;
    const { port, server } = await startTcpServer((socket) => (commands++, socket.resume()));
    const line = `exec '${process.execPath}' -e 'require("node:net").connect(${port}, "127.0.0.1")'`;
    const result = await run({ env: withCredentials(zoom, fakeClipboard(line)) });
    const stderr = noClipboard(/the clipboard command timed out/);
    expectRun(result, { code: 0, stdout: PRINTED, stderr });
    assert.ok(result.ms > 5000, `${result.ms} ms`);
    assert.equal(commands, 1);
    await once(server.close(), 'close'); // Wait for the command to end.
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

  for (const { expires_in, distance } of [
    { expires_in: 3600, distance: '60 minutes' },
    { expires_in: '1800', distance: '30 minutes' },
    { expires_in: 45, distance: '1 minute' },
    { expires_in: 7200, distance: '120 minutes' },
    { expires_in: 7201, distance: '2 hours' },
    { expires_in: '36000', distance: '10 hours' },
  ])
    it(`prints when the token expires, in local time: in ${distance}`, async () => {
      const timeZone = 'Asia/Kolkata';
      const expiry = () =>
        new Date(Date.now() + Number(expires_in) * 1000).toLocaleTimeString('en-GB', { timeZone, timeStyle: 'short' });
      const earliest = expiry();
      const { stderr } = await runWith({ ...TOKEN_RESPONSE, expires_in }, { TZ: timeZone });
      const possible = [earliest, expiry()].map((time) => `Expires at ${time}, in ${distance}.`);
      assert.ok(possible.includes(stderr.split('\n').at(-2) ?? ''), stderr);
    });

  for (const expires_in of [undefined, 'soon', '', -1, '0', 1e300, true, [3600]])
    it(`prints no expiry if expires_in is ${JSON.stringify(expires_in)}`, async () => {
      const stderr = /^Cannot use the clipboard .*\nCopy the token from the output\.\n$/;
      expectRun(await runWith({ ...TOKEN_RESPONSE, expires_in }), { code: 0, stderr });
    });

  for (const scope of [undefined, ' ', null, [], [null]])
    it(`says where to add scopes if the scope is ${JSON.stringify(scope) ?? 'missing'}`, async () => {
      expectRun(await runWith({ ...TOKEN_RESPONSE, scope }), {
        code: 0,
        stdout: output('Zoom Server-to-Server Oauth token:', []),
        stderr: /\nThe token has no scopes\.\nAdd some at https:\/\/marketplace\.zoom\.us\/ and run s2s again\.\n/,
      });
    });

  for (const scope of [SCOPES, [SCOPES.slice(0, 2).join(' '), SCOPES[2]], ` ${SCOPES.join('\n')} `])
    it(`prints one scope per line if the scope is ${JSON.stringify(scope)}`, async () => {
      expectRun(await runWith({ ...TOKEN_RESPONSE, scope }), { stdout: PRINTED, stderr: /^((?!scope).)+$/s });
    });

  for (const { name, command, notes } of [
    { name: 'in a terminal', command: S2S_WITHOUT_TSX, notes: /:admin\n\nExpires at / },
    { name: 'stdout is redirected', command: inBash('> out'), notes: /^Expires at / },
    { name: 'stderr is redirected', command: inBash('2> log; cat log'), notes: /:admin\nExpires at / },
  ])
    it(
      `separates the notes from the scopes only in a terminal: ${name}`,
      { skip: inTerminal.skip || noFakeClipboard },
      async () => {
        const env = withCredentials(zoom, fakeClipboard('cat > /dev/null'));
        assert.match((await session({ cwd: folder(), command, env })).screen, notes);
      },
    );

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
    assert.doesNotMatch(result.stderr, /EPIPE|Cannot write/);
  });

  it('fails if stdout cannot be written', { skip: skipUnless('bash -c "test -c /dev/full"') }, async () => {
    const result = await run({ command: inBash('> /dev/full'), env: withCredentials(zoom) });
    expectRun(result, { code: 1, stderr: 'Cannot write to stdout: no space left on device.\n' });
  });
});

describe('npm run demo', { concurrency: 3 }, () => {
  const command = ['npm', 'run', '--silent', 'demo'];
  const env = { npm_config_update_notifier: 'false' };

  it('demonstrates the script without a Zoom account, in a pipe', async () => {
    const before = files(root);
    const result = await run({ command, cwd: root, env, shell: process.platform === 'win32' }); // npm.cmd
    expectRun(result, { code: 0, stdout: PRINTED, stderr: /^Demo: .*\n.*\nCannot use the clipboard / });
    assert.deepEqual(files(root), before);
  });

  it('passes flags on to the script', async () => {
    const args = ['--', '--json'];
    const result = await run({ command, args, cwd: root, env, shell: process.platform === 'win32' });
    assert.equal(JSON.parse(result.stdout).access_token, TOKEN);
  });

  it('demonstrates a first run and a later run in a terminal', inTerminal, async () => {
    const before = files(root);
    const shell = process.platform === 'win32' ? ['cmd', '/d', '/c'] : []; // Runs npm.cmd.
    const terminal = new Terminal({ command: [...shell, ...command], cwd: root, env });
    await terminal.see('at the first prompt:\n\n');
    await terminal.see('\n\nThis is a first run:');
    const [, values = ''] = /:\n\n(.*?)\n\n/s.exec(terminal.screen) ?? [];
    await terminal.answer('ZOOM_ACCOUNT_ID', values.replaceAll('\n', '\r') + '\r');
    assert.equal(await terminal.end(), 0, terminal.screen);
    const [, first = '', later = ''] = terminal.screen.split(/\$ npx tsx s2s\.ts\n/);
    assert.match(first, /\nSaved ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET in \.env\.\n\nZoom Server/);
    assert.match(later, /^\nZoom Server-to-Server Oauth token:\n/);
    assert.deepEqual(files(root), before);
  });
});
