/** Credentials: where they come from, how they are prompted for and saved, and which servers they are sent to. */

import assert from 'node:assert/strict';
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
import { describe, it } from 'node:test';
import { parse } from 'dotenv';
import {
  S2S,
  S2S_QUOTED,
  Terminal,
  UNSHARE,
  dotenv,
  expectRun,
  files,
  folder,
  inBash,
  inTerminal,
  isRoot,
  ownMockZoom,
  run,
  session,
  sharedMockZoom,
  skipUnless,
  withCredentials,
  withoutAccountId,
} from './helpers.ts';
import { ACCOUNT, BASIC, DOTENV, TOKEN, TOKEN_RESPONSE, respondWith } from './mock-zoom.ts';

const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;

describe('credentials', { concurrency: 4 }, () => {
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
    expectRun(result, { code: 0, stderr: /^No clipboard here .*\nExpires at .*\n$/ });
  });

  it('overrides .env with environment variables, unless they are blank', async () => {
    const cwd = folder({ '.env': `${DOTENV}ZOOM_CLIENT_ID=wrong\nZOOM_ACCOUNT_ID="  "\n` });
    const env = { ...host(), ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET: ' ' };
    expectRun(await run({ cwd, env }), { code: 0 });
  });

  it('lists missing credentials if there is no terminal', async () => {
    for (const { env, names } of [
      { env: {}, names: 'ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET' },
      { env: { ZOOM_ACCOUNT_ID: 'a', ZOOM_CLIENT_ID: ' ' }, names: 'ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET' },
      { env: { ZOOM_ACCOUNT_ID: 'a', ZOOM_CLIENT_ID: 'b' }, names: 'ZOOM_CLIENT_SECRET' },
    ]) {
      const stderr = `Set ${names}\nin the environment or in .env, or run this in a terminal to be asked.\n`;
      expectRun(await run({ env: { ...host(), ...env } }), { code: 2, stdout: '', stderr });
    }
  });

  it('does not prompt if stderr is not a terminal', inTerminal, async () => {
    const cwd = folder();
    await session({ command: inBash('2> err'), env: host(), cwd, answers: {}, code: 2 });
    assert.match(readFileSync(join(cwd, 'err'), 'utf8'), /^Set ZOOM_ACCOUNT_ID, .*\n.*\n$/);
  });

  it(
    'says where to find credentials, prompts for them in order, and saves them for later runs',
    inTerminal,
    async () => {
      const cwd = folder();
      const first = await session({ command: S2S, env: host(), cwd });
      const lines = first.screen.split('\n');
      assert.equal(lines[0], 'Find credentials in the Zoom App Marketplace, https://marketplace.zoom.us/:');
      assert.equal(lines[1], 'Manage > your app > App Credentials; Develop > Build App to create one.');
      assert.match(lines[2] ?? '', /^\? ZOOM_ACCOUNT_ID ›/);
      assert.ok(first.screen.includes('*'.repeat(ZOOM_CLIENT_SECRET.length)));
      assert.match(first.screen, /\nSaved ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET in \.env\.\n/);
      assert.equal(first.dotenv, DOTENV);
      assert.equal(statSync(join(cwd, '.env')).mode & 0o777, 0o600);
      assert.deepEqual(files(cwd), ['.env']);

      const second = await session({ env: host(), cwd, answers: {} });
      assert.ok(!second.screen.includes('?'));
    },
  );

  it('prompts on stderr, only for missing credentials, and trims spaces', inTerminal, async () => {
    const cwd = folder({ '.env': `ZOOM_CLIENT_ID=${ZOOM_CLIENT_ID}\n` });
    const terminal = new Terminal({ command: inBash('> out'), env: { ...host(), ZOOM_ACCOUNT_ID }, cwd });
    await terminal.answer('ZOOM_CLIENT_SECRET', '\r');
    await terminal.see('A value is needed.');
    terminal.type('   \r');
    await terminal.see('A value is needed.');
    terminal.type(`${ZOOM_CLIENT_SECRET}  \r`);
    assert.equal(await terminal.end(), 0);
    assert.ok(!/ZOOM_(ACCOUNT|CLIENT)_ID/.test(terminal.screen));
    assert.match(terminal.screen, /\nSaved ZOOM_CLIENT_SECRET in \.env\.\n/);
    assert.match(readFileSync(join(cwd, 'out'), 'utf8'), /^\nZoom Server-to-Server Oauth token:\n/);
    assert.equal(parse(dotenv(cwd)!)['ZOOM_CLIENT_SECRET'], ZOOM_CLIENT_SECRET);
  });

  const values = Object.values(ACCOUNT);
  for (const { name, keys } of [
    { name: 'one per line', keys: `${values.join('\r')}\r` },
    { name: 'with blank lines', keys: `\r${values.join('\r\n  \r\n\r\n')}\r\n` },
    { name: 'as a bracketed paste', keys: `\x1b[200~${values.join('\n')}\n\x1b[201~` },
    { name: 'with an extra line', keys: `${values.join('\r')}\ra fourth line\r` },
  ])
    it(`accepts all credentials pasted at once: ${name}`, inTerminal, async () => {
      const cwd = folder();
      const terminal = new Terminal({ env: host(), cwd });
      await terminal.answer('ZOOM_ACCOUNT_ID', keys);
      assert.equal(await terminal.end(), 0, terminal.screen);
      assert.equal(dotenv(cwd), DOTENV);
      assert.ok(!terminal.raw.includes(ZOOM_CLIENT_SECRET.slice(0, 9)), 'not even a part of the secret is shown');
    });

  it('accepts two credentials pasted at the second prompt', inTerminal, async () => {
    const cwd = folder();
    const terminal = new Terminal({ env: host(), cwd });
    await terminal.answer('ZOOM_ACCOUNT_ID', `${ZOOM_ACCOUNT_ID}\r`);
    await terminal.answer('ZOOM_CLIENT_ID', `${ZOOM_CLIENT_ID}\r${ZOOM_CLIENT_SECRET}`);
    await terminal.see('*'.repeat(ZOOM_CLIENT_SECRET.length));
    terminal.type('\r');
    assert.equal(await terminal.end(), 0);
    assert.equal(dotenv(cwd), DOTENV);
  });

  it('discards the rest of a paste if its first line is invalid', inTerminal, async () => {
    const cwd = folder();
    const rest = `\r${ZOOM_CLIENT_ID}\r${ZOOM_CLIENT_SECRET}\r`;
    const terminal = new Terminal({ env: host(), cwd });
    await terminal.answer('ZOOM_ACCOUNT_ID', `${ZOOM_ACCOUNT_ID}\u200b${rest}`);
    await terminal.see('It has an invisible character, U+200B: press Ctrl-G and enter it again.');
    terminal.type(`\x07${ZOOM_ACCOUNT_ID}${rest}`);
    assert.equal(await terminal.end(), 0);
    assert.equal(dotenv(cwd), DOTENV);
  });

  const withoutSecret = () => withCredentials(zoom, { ZOOM_CLIENT_SECRET: undefined });

  for (const { keys, code } of [
    { keys: 'wrong\x15', code: 'U+0015' },
    { keys: 'wr\tong', code: 'U+0009' },
    { keys: 'wr\u00adong', code: 'U+00AD' },
    { keys: '\u2060wrong', code: 'U+2060' },
  ])
    it(`rejects an invisible character in a credential: ${code}`, inTerminal, async () => {
      const terminal = new Terminal({ env: withoutSecret() });
      await terminal.answer('ZOOM_CLIENT_SECRET', `${keys}\r`);
      await terminal.see(`It has an invisible character, ${code}: press Ctrl-G and enter it again.`);
      terminal.type(`\x07${ZOOM_CLIENT_SECRET}\r`);
      assert.equal(await terminal.end(), 0);
    });

  it('lets the user edit a value, and ignores keys without text', inTerminal, async () => {
    const [left, right, remove, f5, pageUp] = ['[D', '[C', '[3~', '[15~', '[5~'].map((code) => `\x1b${code}`);
    const [most, last] = [ZOOM_CLIENT_SECRET.slice(0, -1), ZOOM_CLIENT_SECRET.slice(-1)];
    const keys = `${f5}x${most}${f5}\x01${remove}\x05y\x7f${left}${right}${pageUp}${last}`;
    await session({ env: withoutSecret(), answers: { ZOOM_CLIENT_SECRET: keys } });
  });

  for (const { name, key } of [
    { name: 'Ctrl-C', key: '\x03' },
    { name: 'Ctrl-D', key: '\x04' },
    { name: 'Escape', key: '\x1b' },
  ])
    it(`saves nothing and sends nothing after ${name}`, inTerminal, async () => {
      const cwd = folder();
      const server = await ownMockZoom();
      const terminal = new Terminal({ command: inBash('; echo $?; stty -a'), env: { ZOOM_HOST: server.url }, cwd });
      await terminal.answer('ZOOM_ACCOUNT_ID', 'account\r');
      await terminal.answer('ZOOM_CLIENT_ID', `cli${key}`);
      await terminal.end();
      assert.match(terminal.screen, /\nCancelled\n130\n/);
      assert.match(terminal.screen, / icanon .* echo /s, 'the terminal mode is restored');
      assert.deepEqual(files(cwd), []);
      assert.equal(server.requests.length, 0);
    });

  it('saves credentials before the request', inTerminal, async () => {
    const { dotenv } = await session({ env: { ZOOM_HOST: 'http://127.0.0.1:1' }, code: 1 });
    assert.equal(dotenv, DOTENV);
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
      name: 'the effective line if a name is there twice',
      before: 'ZOOM_ACCOUNT_ID=old\nPORT=1\nZOOM_ACCOUNT_ID=\nHOST=a\n',
      after: `ZOOM_ACCOUNT_ID=old\nPORT=1\nZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\nHOST=a\n`,
    },
    {
      name: 'a value after a byte order mark',
      before: '\ufeffZOOM_ACCOUNT_ID=\nKEEP=1\n',
      after: `\ufeffZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\nKEEP=1\n`,
    },
  ])
    it(`replaces in .env ${name}`, inTerminal, async () => {
      const { dotenv } = await session({ env: withoutAccountId(zoom), cwd: folder({ '.env': before }) });
      assert.equal(dotenv, after);
    });

  const needsRoot = !isRoot && 'only root can change the owner of a file';
  it('keeps the owner of .env', { skip: inTerminal.skip || needsRoot }, async () => {
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
      name: 'of an existing file, and its mode',
      content: 'KEEP=1',
      expected: { mode: 0o640, text: `KEEP=1\n${DOTENV}` },
    },
    { name: 'of a file that does not exist yet', expected: { mode: 0o600, text: DOTENV } },
  ])
    it(`keeps a symbolic link in place of .env: ${name}`, inTerminal, async () => {
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
        const stderr = '.env is in UTF-16, which dotenv cannot read:\nsave it in UTF-8.\n';
        expectRun(await run({ cwd, env: host() }), { code: 2, stdout: '', stderr });
        assert.deepEqual(readFileSync(join(cwd, '.env')), bytes);
      });

  for (const { mode, warning } of [
    { mode: 0o644, warning: 'Others can read it: chmod 600 .env\n' },
    { mode: 0o640, warning: 'Others can read it: chmod 600 .env\n' },
    { mode: 0o600, warning: '' },
  ])
    it(`${warning ? 'warns' : 'does not warn'} if the mode of .env is ${mode.toString(8)}`, inTerminal, async () => {
      const cwd = folder({ '.env': '' });
      chmodSync(join(cwd, '.env'), mode);
      const { screen } = await session({ env: withoutAccountId(zoom), cwd });
      assert.ok(screen.includes(`\nSaved ZOOM_ACCOUNT_ID in .env.\n${warning}\n`), screen);
    });

  it('does not overwrite a file named like the temporary file of older versions', inTerminal, async () => {
    const cwd = folder();
    const terminal = new Terminal({ env: withoutAccountId(zoom), cwd });
    await terminal.see('? ZOOM_ACCOUNT_ID ›');
    const other = `.env.${terminal.pid}`;
    writeFileSync(join(cwd, other), 'KEEP=1');
    terminal.type(`${ZOOM_ACCOUNT_ID}\r`);
    assert.equal(await terminal.end(), 0);
    assert.deepEqual(files(cwd), ['.env', other]);
    assert.equal(readFileSync(join(cwd, other), 'utf8'), 'KEEP=1');
  });

  it('gets a token even if .env is a folder', inTerminal, async () => {
    const cwd = folder();
    mkdirSync(join(cwd, '.env'));
    const { screen } = await session({ env: host(), cwd });
    assert.match(screen, /^Cannot read \.env: illegal operation on a directory\.\n/);
    assert.match(screen, /\nCannot save .* in \.env: it is not a regular file\.\n/);
    assert.ok(screen.includes('Expires at'));
    assert.deepEqual(files(cwd), ['.env']);
  });

  it('gets a token even if .env is a link to itself', inTerminal, async () => {
    const cwd = folder();
    symlinkSync('.env', join(cwd, '.env'));
    const { screen } = await session({ env: host(), cwd });
    assert.match(screen, /\nCannot save .* in \.env: too many symbolic links encountered\.\n/);
  });

  const canMount = { skip: inTerminal.skip || skipUnless(`${UNSHARE.join(' ')} mount -t tmpfs tmpfs .`) };
  /** Returns a command that mounts something with a line of shell, and then runs the script. */
  const mounted = (mount: string) => [
    ...[...UNSHARE, 'bash', '-c'],
    `${mount} && cd "$PWD" && ${S2S_QUOTED}; echo $?; ls -A`,
  ];

  for (const { name, options, reason } of [
    { name: 'the folder is read-only', options: 'ro', reason: 'read-only file system' },
    { name: 'the disk is full', options: 'size=4k', reason: 'no space left on device' },
  ])
    it(`gets a token even if ${name}`, canMount, async () => {
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
    it(`overwrites .env if it is ${name}`, canMount, async () => {
      const other = `KEEP=${'x'.repeat(99)}\nZOOM_ACCOUNT_ID='${'y'.repeat(99)} '\n`;
      const cwd = folder({ '.env': '', other });
      const { ino } = statSync(join(cwd, 'other'));
      const terminal = new Terminal({ command: mounted(mount), env: host(), cwd });
      await terminal.answer('ZOOM_CLIENT_ID', `wrong\r${ZOOM_CLIENT_SECRET}\r`);
      await terminal.see('Enter keeps a value.');
      await terminal.answer('ZOOM_CLIENT_ID', `${ZOOM_CLIENT_ID}\r`);
      await terminal.answer('ZOOM_CLIENT_SECRET', '\r');
      await terminal.see('ZOOM_ACCOUNT_ID is most likely wrong');
      await terminal.answer('ZOOM_ACCOUNT_ID', `${ZOOM_ACCOUNT_ID}\r`);
      await terminal.end();
      assert.match(terminal.screen, /\nExpires at .*\n0\n\.env +other\n$/);
      assert.equal(readFileSync(join(cwd, 'other'), 'utf8'), `KEEP=${'x'.repeat(99)}\n${DOTENV}`);
      assert.equal(statSync(join(cwd, 'other')).ino, ino);
    });

  const needsUser = isRoot && 'root can write in any folder';
  it('overwrites .env if its folder is not writable', { skip: inTerminal.skip || needsUser }, async () => {
    const cwd = folder({ '.env': 'KEEP=1\n' });
    chmodSync(cwd, 0o555);
    const { dotenv } = await session({ env: withoutAccountId(zoom), cwd });
    chmodSync(cwd, 0o755);
    assert.equal(dotenv, `KEEP=1\nZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\n`);
  });

  it('saves nothing if NODE_ENV is production', inTerminal, async () => {
    const { screen, dotenv } = await session({ env: { ...host(), NODE_ENV: ' Production ' } });
    const message =
      'NODE_ENV is production, so nothing is saved. Set in the target environment:\n' +
      'ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET.\n';
    assert.ok(screen.includes(message), screen);
    assert.equal(dotenv, undefined);
  });

  it('skips a credential that dotenv cannot represent, and saves the others', inTerminal, async () => {
    const server = await ownMockZoom(respondWith(200, TOKEN_RESPONSE));
    const saved = { ZOOM_CLIENT_ID: 'id', ZOOM_CLIENT_SECRET: '# "it\'s" $HOME \\n é' };
    const answers = { ZOOM_ACCOUNT_ID: `all'three"quotes\`and#`, ...saved };
    const { screen, dotenv } = await session({ env: { ZOOM_HOST: server.url }, answers });
    assert.match(screen, /ZOOM_ACCOUNT_ID is not saved: dotenv has no way to write this value in \.env\./);
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
    '://',
    'zoom.us\x1b[31m',
    'zoom.us.',
  ])
    it(`rejects a host that is neither Zoom nor this machine: ${JSON.stringify(ZOOM_HOST)}`, async () => {
      const stderr =
        /^ZOOM_HOST is "[\x20-\x7e]+", which is no host of Zoom's\.\nSet it to zoom\.us or zoomgov\.com, or unset it\.\n$/;
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
      expectRun(await run({ env: { ...ACCOUNT, ZOOM_HOST, S2S_DESTINATIONS } }), { code: 1 });
      assert.equal(readFileSync(S2S_DESTINATIONS, 'utf8'), `${destination}\n`);
    });
});
