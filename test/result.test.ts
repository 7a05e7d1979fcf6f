/** What a successful run copies, and what it prints on stdout and stderr. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fakeClipboard, fakeCommands, startWayland, startX11 } from './clipboard.ts';
import { ACCOUNT, SCOPES, TOKEN, TOKEN_RESPONSE, respondWith } from './mock-zoom.ts';
import { S2S, S2S_WITHOUT_TSX, expectRun, files, folder, inBash, root, run, withCredentials } from './script.ts';
import { ownMockZoom, sharedMockZoom, startTcpServer } from './servers.ts';
import * as skips from './skip.ts';
import { Terminal, inTerminal, inUnixTerminal, session } from './terminal.ts';

const { skipWithout, skipWithoutBash, skipWithoutFakeClipboard, skipWithoutLinux, isWindows } = skips;
const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;

/** Returns what Zoom's s2s.js prints. */
const output = (copied: string, scopes = SCOPES) =>
  `\nZoom Server-to-Server Oauth token${copied}:\n${'-'.repeat(54)}\n${TOKEN}\n\nScopes:\n-------\n` +
  scopes.map((scope) => `${scope}\n`).join('');
const COPIED = output(' copied to clipboard');
const PRINTED = output('');
const NO_CLIPBOARD = 'No clipboard is available, so the token was not copied.';
/** Returns a pattern for this text on stderr, followed by the time when the token expires. */
const expiring = (text: string) =>
  new RegExp(`^${text.replace(/[.()]/g, '\\$&')} Expires at \\d\\d:\\d\\d, in 60 minutes\\.\n$`);

/** Runs the script against a mock server that sends some fields of the token response differently. */
const runWith = async (fields: object, env = {}) =>
  run({ env: withCredentials(await ownMockZoom(respondWith(200, { ...TOKEN_RESPONSE, ...fields })), env) });

describe('the script with a token', { concurrency: 4 }, () => {
  const zoom = sharedMockZoom();

  for (const { name, start, needs } of [
    { name: 'X11', start: startX11, needs: skips.X11 },
    { name: 'Wayland', start: startWayland, needs: skips.WAYLAND },
  ])
    it(`copies to the ${name} clipboard and prints what s2s.js prints`, { skip: skipWithout(...needs) }, async () => {
      const display = await start();
      const result = await run({ command: S2S, env: withCredentials(zoom, display.env) });
      expectRun(result, { code: 0, stdout: COPIED, stderr: expiring('Copied to the clipboard.') });
      assert.equal(await display.paste(), TOKEN);
    });

  const clipboard = fakeClipboard();
  const overSsh = { ...clipboard, SSH_TTY: '/dev/ttys0', DISPLAY: 'localhost:10.0' };
  const wsl = { ...clipboard, DISPLAY: undefined, WSL_DISTRO_NAME: 'Debian' };
  const skipWithoutMac = process.platform !== 'darwin' && 'only macOS has pbcopy';
  for (const { name, env, stdout = PRINTED, note = NO_CLIPBOARD, skip } of [
    { name: 'does not copy in an SSH session', env: {}, skip: false },
    { name: 'does not copy on a Mac reached with ssh -X', env: overSsh, skip: skipWithoutMac },
    { name: 'copies in WSL', env: wsl, stdout: COPIED, note: 'Copied to the clipboard.', skip: skipWithoutLinux },
  ])
    it(`${name}, and says so in one line`, { skip }, async () => {
      expectRun(await run({ env: withCredentials(zoom, env) }), { code: 0, stdout, stderr: expiring(note) });
    });

  const useless = (problem: string) => expiring(`Cannot use the clipboard. ${problem}\n${NO_CLIPBOARD}`);
  const failed = skipWithoutLinux ? 'Command failed with exit code 1: pbcopy' : 'Both xsel and fallback failed';
  const fallback = "Couldn't find the `xsel` binary and fallback didn't work.";
  const notFound = `${fallback} On Debian/Ubuntu you can install xsel with: sudo apt install xsel`;
  const missing = { DISPLAY: ':54321', PATH: folder() };
  const failing = { WAYLAND_DISPLAY: 'none', PATH: fakeCommands({ 'wl-copy': 'echo "No\nseat" >&2; exit 1' }) };
  for (const { name, env, problem, skip } of [
    { name: 'fails', env: fakeClipboard('exit 1'), problem: failed, skip: skipWithoutFakeClipboard },
    { name: 'prints two lines', env: failing, problem: 'Command `wl-copy` failed: No', skip: skipWithoutLinux },
    { name: 'is missing', env: missing, problem: notFound, skip: skipWithoutLinux },
  ])
    it(`says why it cannot use the clipboard if the clipboard command ${name}`, { skip }, async () => {
      const result = await run({ env: withCredentials(zoom, { SSH_CONNECTION: undefined, ...env }) });
      expectRun(result, { code: 0, stdout: PRINTED, stderr: useless(problem) });
    });

  it('gives up on a clipboard command after 10 seconds', { skip: skipWithoutFakeClipboard }, async () => {
    const { port, server } = await startTcpServer((socket) => socket.resume());
    const line = `exec '${process.execPath}' -e 'require("node:net").connect(${port}, "127.0.0.1")'`;
    const result = await run({ env: withCredentials(zoom, fakeClipboard(line)) });
    expectRun(result, { code: 0, stdout: PRINTED, stderr: useless('It did not respond within 10 seconds.') });
    assert.ok(result.ms > 10_000 && result.ms < 30_000, `${result.ms} ms`);
    await once(server.close(), 'close'); // Wait for the command to end.
  });

  it('passes no credential to the clipboard command, to tmux, or to Git', inUnixTerminal, async () => {
    const cwd = folder({ '.env': `ZOOM_CLIENT_ID=${ZOOM_CLIENT_ID}\n` });
    const log = 'exec >> log; env; echo "$0 $@"; cat; echo';
    const git = `cd '${cwd}'; ${log}`; // s2s starts Git in its own folder.
    const env = { ...fakeClipboard(log, { tmux: log, git }), TMUX: 'socket', ZOOM_HOST: zoom.url, ZOOM_CLIENT_SECRET };
    await session({ cwd, env, answers: { ZOOM_ACCOUNT_ID } });
    const logged = readFileSync(join(cwd, 'log'), 'utf8');
    assert.match(logged, new RegExp(`/(xsel --clipboard --input|pbcopy )\n${TOKEN}\n`));
    assert.ok(logged.includes(`/tmux load-buffer -b s2s -w -\n${TOKEN}\n`), logged);
    assert.ok(logged.includes(`/git -C ${cwd} check-ignore --quiet -- ${join(cwd, '.env')}\n`), logged);
    for (const text of ['ZOOM_CLIENT_SECRET', ...Object.values(ACCOUNT)]) assert.ok(!logged.includes(text), text);
  });

  const timeZone = 'Asia/Kolkata';
  for (const { expires_in, distance } of [
    { expires_in: 45, distance: '1 minute' },
    { expires_in: '61.5', distance: '2 minutes' },
    { expires_in: 36000, distance: '600 minutes' },
    { expires_in: 999_999_999, distance: '16666667 minutes' },
    ...[undefined, 'soon', -1, '0', 1e9].map((expires_in) => ({ expires_in, distance: undefined })),
  ])
    it(`${distance ? 'says' : 'does not say'} when the token expires if expires_in is ${JSON.stringify(expires_in)}`, async () => {
      const expiry = () => {
        const time = new Date(Date.now() + Number(expires_in) * 1000);
        const text = time.toLocaleTimeString('en-GB', { timeZone, timeStyle: 'short' });
        return `${NO_CLIPBOARD}${distance ? ` Expires at ${text}, in ${distance}.` : ''}\n`;
      };
      const earliest = expiry();
      const { stderr } = await runWith({ expires_in }, { TZ: timeZone });
      assert.ok([earliest, expiry()].includes(stderr), stderr);
    });

  const many = Array.from({ length: 150 }, (_, i) => `scope:${i}:admin`);
  for (const { name, scope, scopes = SCOPES } of [
    { name: 'a list', scope: [SCOPES.slice(0, 2).join(' '), SCOPES[2]] },
    { name: 'separated by control characters', scope: `\x9b${SCOPES.join('\r\n')}\u202e` },
    { name: 'many', scope: many.join(' '), scopes: many },
    ...[undefined, ' ', null, [null]].map((scope) => ({ name: JSON.stringify(scope), scope, scopes: [] })),
  ])
    it(`${scopes.length ? 'prints one scope per line' : 'says what to do without scopes'} if they are ${name}`, async () => {
      const advice = 'Add some to the app at https://marketplace.zoom.us/, and run s2s again.';
      const note = scopes.length ? '' : `Zoom listed no scopes. ${advice}\n`;
      expectRun(await runWith({ scope }), { stdout: output('', scopes), stderr: expiring(`${note}${NO_CLIPBOARD}`) });
    });

  const LINE = expiring('Copied to the clipboard.').source.slice(1);
  for (const { name, command, screen } of [
    { name: 'a blank line before the last line in a terminal', command: S2S_WITHOUT_TSX, screen: `:admin\n\n${LINE}` },
    { name: 'only the last line if stdout is discarded', command: inBash('> /dev/null'), screen: `^${LINE}` },
    { name: 'no blank line if stderr is redirected', command: inBash('2> log; cat log'), screen: `:admin\n${LINE}` },
  ])
    it(`shows ${name}`, { skip: inUnixTerminal.skip || skipWithoutBash }, async () => {
      const env = withCredentials(zoom, clipboard);
      assert.match((await session({ command, env })).screen, new RegExp(screen));
    });

  it('succeeds if a pipe is closed before all output is read', { skip: skipWithoutBash }, async () => {
    const server = await ownMockZoom(respondWith(200, { ...TOKEN_RESPONSE, scope: 'scope '.repeat(20_000) }));
    const result = await run({ command: inBash('| head -2; echo ${PIPESTATUS[0]}'), env: withCredentials(server) });
    expectRun(result, { stdout: '\nZoom Server-to-Server Oauth token:\n0\n', stderr: expiring(NO_CLIPBOARD) });
  });

  it('fails if the disk is full', { skip: skipWithout('bash -c "test -c /dev/full"') }, async () => {
    for (const flag of ['', '--json', '--help']) {
      const result = await run({ command: inBash(`${flag} > /dev/full`), env: withCredentials(zoom) });
      expectRun(result, { code: 1, stderr: 'Cannot write to stdout: ENOSPC: no space left on device.\n' });
    }
  });
});

describe('npm run demo', { concurrency: 2 }, () => {
  const command = ['npm', 'run', '--silent', 'demo'];
  const options = { command, cwd: root, env: { npm_config_update_notifier: 'false' }, shell: isWindows }; // npm.cmd

  it('demonstrates the script without a Zoom account, in a pipe, and passes flags on to it', async () => {
    const intro = /^Demo: tokens from this mock server do not work with Zoom\.\n.*\n$/;
    expectRun(await run({ ...options, args: ['--', '--token'] }), { code: 0, stdout: `${TOKEN}\n`, stderr: intro });
  });

  it('demonstrates a first run and a later run in a terminal, and leaves no file', inTerminal, async () => {
    const before = files(root);
    const terminal = new Terminal({ ...options, command: [...(isWindows ? ['cmd', '/d', '/c'] : []), ...command] });
    await terminal.see('\n\nThis is a first run:');
    const [, values = ''] = /at the first prompt:\n\n(.*?)\n\n/s.exec(terminal.screen) ?? [];
    await terminal.answer('ZOOM_ACCOUNT_ID', `${values.replaceAll('\n', 'x\r')}\r`);
    await terminal.see('Zoom rejected');
    await terminal.answer('ZOOM_ACCOUNT_ID', `${values.replaceAll('\n', '\r')}\r`);
    await terminal.see('Until you press Enter');
    terminal.type('\r');
    assert.equal(await terminal.end(), 0, terminal.screen);
    const runs = /\nSaved in \.env\.\n\nZoom Server[^$]*\$ npx tsx s2s\.ts\n\nZoom Server-to-Server Oauth token:\n/;
    assert.match(terminal.screen, runs);
    assert.deepEqual(files(root), before);
  });
});
