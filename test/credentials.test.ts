/** Credentials: where they come from, when and how they are saved, and which servers they are sent to. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'dotenv';
import {
  S2S_QUOTED,
  Terminal,
  UNSHARE,
  dotenv,
  expectRun,
  files,
  folder,
  inTerminal,
  inTerminalWithCtrlC,
  inUnixTerminal,
  isRoot,
  ownMockZoom,
  run,
  session,
  sharedMockZoom,
  skipUnless,
  start,
  withCredentials,
  withoutAccountId,
} from './helpers.ts';
import {
  ACCOUNT,
  BASIC,
  DOTENV,
  type Handler,
  TOKEN,
  TOKEN_RESPONSE,
  respondLikeZoom,
  respondWith,
} from './mock-zoom.ts';

const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;

const withCtrlC = await inTerminalWithCtrlC();

describe('the script', { concurrency: 4 }, () => {
  const zoom = sharedMockZoom();
  const host = () => ({ ZOOM_HOST: zoom.url });

  it('reads credentials from the environment and sends them in one POST, as documented', async () => {
    const { requests, ...server } = await ownMockZoom();
    expectRun(await run({ env: withCredentials(server) }), { code: 0, stdout: new RegExp(`\n${TOKEN}\n`) });
    assert.deepEqual(
      requests.map(({ method, path, headers, body }) => ({
        ...{ method, path, body, authorization: headers.authorization, type: headers['content-type'] },
      })),
      [
        {
          method: 'POST',
          path: '/oauth/token',
          body: `grant_type=account_credentials&account_id=${ZOOM_ACCOUNT_ID}`,
          authorization: `Basic ${BASIC}`,
          type: 'application/x-www-form-urlencoded',
        },
      ],
    );
  });

  it('reads credentials from .env in the current folder, without a message', async () => {
    const result = await run({ cwd: folder({ '.env': `${DOTENV}ZOOM_HOST=${zoom.url}\n` }) });
    expectRun(result, { code: 0, stderr: /^Cannot use the clipboard .*\nCopy the token .*\nExpires at .*\n$/ });
  });

  it('overrides .env with environment variables, unless they are blank', async () => {
    const cwd = folder({ '.env': `${DOTENV}ZOOM_CLIENT_ID=wrong\nZOOM_ACCOUNT_ID="  "\n` });
    const env = { ...host(), ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET: ' ' };
    expectRun(await run({ cwd, env }), { code: 0 });
  });

  it(
    'saves credentials after Zoom accepts them, not before the request, and says so before it prints the token',
    inTerminal,
    async () => {
      const cwd = folder();
      let filesOnRequest: string[] | undefined;
      const server = await ownMockZoom((...args) => {
        filesOnRequest = files(cwd);
        respondLikeZoom(...args);
      });
      const { screen, dotenv } = await session({ env: { ZOOM_HOST: server.url }, cwd });
      assert.match(screen, /\nSaved ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET in \.env\.\n\nZoom Server/);
      assert.deepEqual({ filesOnRequest, dotenv }, { filesOnRequest: [], dotenv: DOTENV });
    },
  );

  for (const { name, content } of [
    { name: 'leaves .env as it was', content: `ZOOM_CLIENT_ID=${ZOOM_CLIENT_ID}\nZOOM_CLIENT_SECRET= # none\n` },
    { name: 'creates no .env', content: undefined },
  ])
    it(`${name} if the user cancels a prompt after a rejection`, inTerminal, async () => {
      const cwd = folder(content ? { '.env': content } : {});
      const terminal = new Terminal({ env: { ...host(), ZOOM_ACCOUNT_ID }, cwd });
      if (!content) await terminal.answer('ZOOM_CLIENT_ID', `${ZOOM_CLIENT_ID}\r`);
      await terminal.answer('ZOOM_CLIENT_SECRET', 'typo\r');
      await terminal.see('Press Enter to keep the current value.');
      await terminal.answer('ZOOM_CLIENT_ID', '');
      await terminal.see(ZOOM_CLIENT_ID);
      terminal.type('\r');
      await terminal.answer('ZOOM_CLIENT_SECRET', '');
      await terminal.see('****');
      terminal.type('\x04'); // Ctrl-D
      assert.equal(await terminal.end(), 130);
      assert.ok(terminal.screen.endsWith('\nCancelled.\n'), terminal.screen);
      assert.equal(dotenv(cwd), content);
    });

  it(
    'sends nothing more and saves nothing if a rejection is followed by Enter at every prompt',
    inTerminal,
    async () => {
      const server = await ownMockZoom();
      const cwd = folder();
      const terminal = new Terminal({ env: { ZOOM_HOST: server.url, ZOOM_ACCOUNT_ID }, cwd });
      await terminal.answer('ZOOM_CLIENT_ID', 'typo\r');
      await terminal.answer('ZOOM_CLIENT_SECRET', `${ZOOM_CLIENT_SECRET}\r`);
      await terminal.answer('ZOOM_CLIENT_ID', '\r');
      await terminal.answer('ZOOM_CLIENT_SECRET', '\r');
      await terminal.see(
        '\nNothing changed, so s2s did not try again.\nRun s2s again to retry or to change a value.\n',
      );
      assert.equal(await terminal.end(), 1);
      assert.equal(server.requests.length, 1);
      assert.deepEqual(files(cwd), []);
    },
  );

  const outage = respondWith(503, {}, { 'Retry-After': '60' });
  for (const { name, url, handler, typed = [ZOOM_ACCOUNT_ID] } of [
    { name: 'the network fails', url: 'http://127.0.0.1:1' },
    { name: 'Zoom is down', handler: outage },
    { name: 'something else responds', handler: respondWith(200, 'Log in') },
    {
      name: 'Zoom is down after a rejection',
      handler: ((...args) => (args[2] > 1 ? outage : respondLikeZoom)(...args)) as Handler,
      typed: ['typo', ZOOM_ACCOUNT_ID],
    },
  ])
    it(`saves what was typed if ${name}`, inTerminal, async () => {
      const cwd = folder();
      const env = withoutAccountId(url ? { url } : await ownMockZoom(handler));
      const terminal = new Terminal({ env, cwd });
      for (const value of typed) {
        await terminal.answer('ZOOM_ACCOUNT_ID', `${value}\r`);
        if (value === 'typo') await terminal.see('Zoom rejected');
      }
      await terminal.see('\nSaved ZOOM_ACCOUNT_ID in .env.\n');
      assert.equal(await terminal.end(), 1);
      assert.equal(dotenv(cwd), `ZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\n`);
    });

  for (const { signal, code, ...options } of [
    { signal: 'Ctrl-C', code: 130, ...withCtrlC },
    { signal: 'SIGTERM', code: 143, ...inUnixTerminal },
  ])
    it(`saves what was typed if ${signal} ends it while Zoom is silent`, options, async () => {
      const cwd = folder();
      let onRequest = () => {};
      const requested = new Promise<void>((done) => (onRequest = done));
      const terminal = new Terminal({ env: withoutAccountId(await ownMockZoom(() => onRequest())), cwd });
      await terminal.answer('ZOOM_ACCOUNT_ID', `${ZOOM_ACCOUNT_ID}\r`);
      await requested;
      if (signal === 'Ctrl-C') terminal.type('\x03');
      else process.kill(terminal.pid, signal);
      await terminal.see('\nSaved ZOOM_ACCOUNT_ID in .env.\n');
      assert.equal(await terminal.end(), code);
      assert.equal(dotenv(cwd), `ZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\n`);
    });

  it('fills in a copy of .env.example in place', inTerminal, async () => {
    const example = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
    const { dotenv } = await session({ env: host(), cwd: folder({ '.env': example }) });
    const filled = Object.entries(ACCOUNT).reduce(
      (text, [name, value]) => text.replace(`${name}=`, `${name}=${value}`),
      example,
    );
    assert.equal(dotenv, filled);
  });

  for (const { name, before, after } of [
    {
      name: 'the effective line of a repeated name',
      before: 'ZOOM_ACCOUNT_ID=old\nPORT=1\nZOOM_ACCOUNT_ID=\nHOST=a\n',
      after: `ZOOM_ACCOUNT_ID=old\nPORT=1\nZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\nHOST=a\n`,
    },
    {
      name: 'a value after a byte order mark',
      before: '\ufeffZOOM_ACCOUNT_ID=\nKEEP=1\n',
      after: `\ufeffZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\nKEEP=1\n`,
    },
  ])
    it(`replaces ${name} in .env`, inTerminal, async () => {
      const { dotenv } = await session({ env: withoutAccountId(zoom), cwd: folder({ '.env': before }) });
      assert.equal(dotenv, after);
    });

  const notRoot = !isRoot && 'only root can change the owner of a file';
  it('keeps the owner of .env', { skip: inUnixTerminal.skip || notRoot }, async () => {
    const cwd = folder({ '.env': 'ZOOM_ACCOUNT_ID=\n' });
    chmodSync(join(cwd, '.env'), 0o400);
    chownSync(join(cwd, '.env'), 1234, 5678);
    const { dotenv } = await session({ env: withoutAccountId(zoom), cwd });
    const { uid, gid, mode } = statSync(join(cwd, '.env'));
    assert.deepEqual({ uid, gid, mode: mode & 0o777 }, { uid: 1234, gid: 5678, mode: 0o400 });
    assert.equal(dotenv, `ZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\n`);
  });

  for (const { name, content, expected } of [
    {
      name: 'to an existing file, whose mode it keeps',
      content: 'KEEP=1',
      expected: { mode: 0o640, text: `KEEP=1\n${DOTENV}` },
    },
    { name: 'to a file that does not exist yet', expected: { mode: 0o600, text: DOTENV } },
  ])
    it(`keeps .env as a symbolic link ${name}`, inUnixTerminal, async () => {
      const cwd = folder();
      const target = join('elsewhere', 'settings');
      mkdirSync(join(cwd, 'elsewhere'));
      if (content) {
        writeFileSync(join(cwd, target), content);
        chmodSync(join(cwd, target), 0o640);
      }
      symlinkSync(target, join(cwd, '.env'));
      const { dotenv } = await session({ env: host(), cwd });
      assert.ok(lstatSync(join(cwd, '.env')).isSymbolicLink());
      assert.equal(readlinkSync(join(cwd, '.env')), target);
      assert.deepEqual(files(join(cwd, 'elsewhere')), ['settings']);
      assert.deepEqual({ mode: statSync(join(cwd, '.env')).mode & 0o777, text: dotenv }, expected);
    });

  it('replaces .env atomically, with a new file', inTerminal, async () => {
    const cwd = folder({ '.env': 'KEEP=1\n' });
    const { ino } = statSync(join(cwd, '.env'));
    await session({ env: host(), cwd });
    assert.notEqual(statSync(join(cwd, '.env')).ino, ino);
    assert.deepEqual(files(cwd), ['.env']);
  });

  for (const mark of ['\ufeff', ''])
    for (const order of ['little', 'big'])
      it(`rejects and keeps a .env in ${order}-endian UTF-16 with${mark ? '' : 'out'} a byte order mark`, async () => {
        const bytes = Buffer.from(mark + DOTENV, 'utf16le');
        if (order === 'big') bytes.swap16();
        const cwd = folder({ '.env': bytes });
        const stderr = '.env is UTF-16, which dotenv cannot read.\nSave it as UTF-8.\n';
        expectRun(await run({ cwd, env: host() }), { code: 2, stdout: '', stderr });
        assert.deepEqual(readFileSync(join(cwd, '.env')), bytes);
      });

  describe('with an existing .env', inUnixTerminal, () => {
    const WARNING = 'Other users can read it. To prevent that, run: chmod 600 .env\n';
    for (const { mode, warning } of [
      { mode: 0o644, warning: WARNING },
      { mode: 0o640, warning: WARNING },
      { mode: 0o600, warning: '' },
    ])
      it(`${warning ? 'warns' : 'does not warn'} if the mode of .env is ${mode.toString(8)}`, async () => {
        const cwd = folder({ '.env': '' });
        chmodSync(join(cwd, '.env'), mode);
        const { screen } = await session({ env: withoutAccountId(zoom), cwd });
        assert.ok(screen.includes(`\nSaved ZOOM_ACCOUNT_ID in .env.\n${warning}\n`), screen);
      });
  });

  it('gets a token even if .env is a folder', inTerminal, async () => {
    const cwd = folder();
    mkdirSync(join(cwd, '.env'));
    const { screen } = await session({ env: host(), cwd });
    assert.match(screen, /^Cannot read \.env: illegal operation on a directory\.\n/);
    assert.match(screen, /\nCannot save .* in \.env: not a regular file\.\n/);
    assert.ok(screen.includes('Expires at'));
    assert.deepEqual(files(cwd), ['.env']);
  });

  it('gets a token even if .env is a link to itself', inUnixTerminal, async () => {
    const cwd = folder();
    symlinkSync('.env', join(cwd, '.env'));
    const { screen } = await session({ env: host(), cwd });
    assert.match(screen, /\nCannot save .* in \.env: too many symbolic links encountered\.\n/);
  });

  describe(
    'with a mount',
    { skip: inTerminal.skip || skipUnless(`${UNSHARE.join(' ')} mount -t tmpfs tmpfs .`) },
    () => {
      /** Returns a command that runs a line of shell, which mounts something, and then the script. */
      const mounted = (mount: string) => [
        ...[...UNSHARE, 'bash', '-c'],
        `${mount} && cd "$PWD" && ${S2S_QUOTED}; echo $?; ls -A`,
      ];

      for (const { name, options, reason } of [
        { name: 'the folder is read-only', options: 'ro', reason: 'read-only file system' },
        { name: 'the disk is full', options: 'size=4k', reason: 'no space left on device' },
      ])
        it(`gets a token even if ${name}`, async () => {
          const fill = 'cd "$PWD" && { head -c 9999 /dev/zero > fill; ls -A; }';
          const command = mounted(`mount -t tmpfs -o ${options} tmpfs . && ${fill}`);
          const { screen } = await session({ command, env: host() });
          assert.match(screen, new RegExp(`\nCannot save ZOOM_.* in \\.env: ${reason}\\.\n`));
          assert.match(screen, /\nExpires at .*\n0\n(fill\n)?$/);
        });

      for (const { name, mount } of [
        { name: 'a mount point', mount: 'mount --bind other .env' },
        {
          name: 'a mount point in a read-only folder',
          mount: 'mount --bind . . && cd "$PWD" && mount --bind other .env && mount -o remount,bind,ro .',
        },
      ])
        it(`overwrites .env if it is ${name}`, async () => {
          const other = `KEEP=${'x'.repeat(99)}\nZOOM_ACCOUNT_ID='wrong${'y'.repeat(99)} '\n`;
          const cwd = folder({ '.env': '', other });
          const { ino } = statSync(join(cwd, 'other'));
          const terminal = new Terminal({ command: mounted(mount), env: host(), cwd });
          await terminal.answer('ZOOM_CLIENT_ID', `${ZOOM_CLIENT_ID}\r${ZOOM_CLIENT_SECRET}\r`);
          await terminal.answer('ZOOM_ACCOUNT_ID', `${ZOOM_ACCOUNT_ID}\r`);
          await terminal.end();
          assert.match(terminal.screen, /\nExpires at .*\n0\n\.env +other\n$/);
          assert.equal(readFileSync(join(cwd, 'other'), 'utf8'), `KEEP=${'x'.repeat(99)}\n${DOTENV}`);
          assert.equal(statSync(join(cwd, 'other')).ino, ino);
        });
    },
  );

  const asRoot = isRoot && 'root can write in any folder';
  it('overwrites .env if its folder is not writable', { skip: inUnixTerminal.skip || asRoot }, async () => {
    const cwd = folder({ '.env': 'KEEP=1\n' });
    chmodSync(cwd, 0o555);
    const { dotenv } = await session({ env: withoutAccountId(zoom), cwd });
    chmodSync(cwd, 0o755);
    assert.equal(dotenv, `KEEP=1\nZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\n`);
  });

  const noLocks = inTerminal.skip || (process.platform !== 'win32' && 'only Windows locks a file that is open');
  it('saves in a .env that another program has open, or says why not', { skip: noLocks }, async () => {
    const before = 'KEEP=1\r\nZOOM_ACCOUNT_ID=\r\n';
    const cwd = folder({ '.env': before });
    const program = spawn('cmd', ['/d', '/c', 'ping -n 60 127.0.0.1 < .env > started'], { cwd, stdio: 'ignore' });
    after(() => spawnSync('taskkill', ['/t', '/f', '/pid', `${program.pid}`]));
    while (!files(cwd).includes('started')) await sleep(50);

    const { screen, dotenv } = await session({ cwd, env: withoutAccountId(await ownMockZoom()) });
    if (screen.includes('\nSaved ZOOM_ACCOUNT_ID in .env.\n'))
      assert.equal(dotenv, before.replace('ID=', `ID=${ACCOUNT.ZOOM_ACCOUNT_ID}`));
    else {
      assert.match(screen, /\nCannot save ZOOM_ACCOUNT_ID in \.env: resource busy or locked\.\n/);
      assert.equal(dotenv, before);
    }
    assert.deepEqual(files(cwd), ['.env', 'started']);
  });

  it('saves nothing if NODE_ENV is production', inTerminal, async () => {
    const { screen, dotenv } = await session({ env: { ...host(), NODE_ENV: ' Production ' } });
    const message =
      'Not saved, because NODE_ENV is production. Use the environment to set\n' +
      'ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET.\n';
    assert.ok(screen.includes(message), screen);
    assert.equal(dotenv, undefined);
  });

  it('skips a credential that dotenv cannot represent, and saves the others', inTerminal, async () => {
    const server = await ownMockZoom(respondWith(200, TOKEN_RESPONSE));
    const saved = { ZOOM_CLIENT_ID: 'abc', ZOOM_CLIENT_SECRET: '#"it\'s" $HOME \\n é' };
    const answers = { ZOOM_ACCOUNT_ID: `all'three"quotes\`and#`, ...saved };
    const { screen, dotenv } = await session({ env: { ZOOM_HOST: server.url }, answers });
    assert.match(screen, /Cannot save ZOOM_ACCOUNT_ID in \.env: dotenv would read back something else\.\n/);
    assert.match(screen, /Saved ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET in \.env\./);
    assert.deepEqual({ ...parse(dotenv!) }, saved);
  });

  for (const ZOOM_HOST of [
    'example.com',
    'https://example.com',
    'zoom.us.example.com',
    'evilzoom.us',
    'zoom.us@example.com',
    'http://zoom.us',
    'ftp://zoom.us',
    'http://192.0.2.1',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'https://[::2]',
    'http://',
    'zoom.us\x1b[31m',
    'zoom.us.',
  ])
    it(`rejects a host that is neither Zoom nor this machine: ${JSON.stringify(ZOOM_HOST)}`, async () => {
      const stderr =
        /^ZOOM_HOST is "[\x20-\x7e]+", which is not a Zoom host\.\nSet it to zoom\.us or zoomgov\.com, or unset it\.\n$/;
      expectRun(await run({ env: { ...ACCOUNT, ZOOM_HOST } }), { code: 2, stdout: '', stderr });
    });

  for (const { ZOOM_HOST, destination } of [
    { ZOOM_HOST: '', destination: 'tls zoom.us:443' },
    { ZOOM_HOST: 'zoom.us', destination: 'tls zoom.us:443' },
    { ZOOM_HOST: 'https://zoom.us/', destination: 'tls zoom.us:443' },
    { ZOOM_HOST: 'ZOOM.US', destination: 'tls zoom.us:443' },
    { ZOOM_HOST: 'zoomgov.com', destination: 'tls zoomgov.com:443' },
    { ZOOM_HOST: 'https://eu01api.zoomgov.com', destination: 'tls eu01api.zoomgov.com:443' },
    { ZOOM_HOST: 'https://localhost:1', destination: 'tls localhost:1' },
    { ZOOM_HOST: '127.9.9.9:1', destination: 'tls 127.9.9.9:1' },
    { ZOOM_HOST: 'http://localhost:1', destination: 'tcp localhost:1' },
    { ZOOM_HOST: 'http://[::1]:1', destination: 'tcp ::1:1' },
  ])
    it(`connects to ${destination} if ZOOM_HOST is "${ZOOM_HOST}"`, async () => {
      const S2S_DESTINATIONS = join(folder(), 'destinations');
      const { child, result } = start({ env: { ...ACCOUNT, ZOOM_HOST, S2S_DESTINATIONS } });
      child.stderr.once('data', () => child.kill()); // Don't wait for the next attempt.
      await result;
      // Ignore how many attempts there were: another one may begin before the process is gone.
      assert.deepEqual(new Set(readFileSync(S2S_DESTINATIONS, 'utf8').split(/(?<=\n)/)), new Set([`${destination}\n`]));
    });
});
