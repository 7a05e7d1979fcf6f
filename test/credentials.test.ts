/** Where credentials come from, how they are asked for, and how they are kept. */

import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'dotenv';
import {
  S2S,
  S2S_LINE,
  Terminal,
  answerAll,
  configured,
  files,
  folder,
  inTerminal,
  lacking,
  ownStandIn,
  run,
  shell,
  typeAccountId,
} from './helpers.ts';
import { ACCOUNT, BASIC, DOTENV, GRANTED, TOKEN, json, startStandIn } from './stand-in.ts';

describe('credentials', { concurrency: 4 }, () => {
  let standIn: Awaited<ReturnType<typeof startStandIn>>;
  before(async () => (standIn = await startStandIn()));
  after(() => standIn.close());
  const host = () => ({ ZOOM_HOST: standIn.url });

  it('come from the environment, and one POST is sent as Zoom documents it', async () => {
    const own = await ownStandIn();
    const { code, stdout } = await run({ env: configured(own) });
    assert.equal(code, 0);
    assert.ok(stdout.includes(`\n${TOKEN}\n`));
    assert.equal(own.requests.length, 1);
    const [{ method, path, headers, body }] = own.requests as [(typeof own.requests)[number]];
    assert.deepEqual(
      { method, path, body, authorization: headers.authorization, type: headers['content-type'] },
      {
        method: 'POST',
        path: '/oauth/token',
        body: `grant_type=account_credentials&account_id=${ACCOUNT.ZOOM_ACCOUNT_ID}`,
        authorization: `Basic ${BASIC}`,
        type: 'application/x-www-form-urlencoded',
      },
    );
  });

  it('come from .env in the current directory, silently', async () => {
    const cwd = folder();
    writeFileSync(join(cwd, '.env'), `${DOTENV}ZOOM_HOST=${standIn.url}\n`);
    const { code, stderr } = await run({ cwd });
    assert.equal(code, 0);
    assert.match(stderr, /^No clipboard here .*\nExpires at .*\n$/);
  });

  it('come from the environment before .env, except where they are blank', async () => {
    const cwd = folder();
    writeFileSync(join(cwd, '.env'), `${DOTENV}ZOOM_CLIENT_ID=wrong\nZOOM_ACCOUNT_ID="  "\n`);
    const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID } = ACCOUNT;
    const env = { ...host(), ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET: ' ' };
    assert.equal((await run({ cwd, env })).code, 0);
  });

  it('are named where they are missing and there is no terminal to ask in', async () => {
    const cases = [
      [{}, 'ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET'],
      [{ ZOOM_ACCOUNT_ID: 'a', ZOOM_CLIENT_ID: ' ' }, 'ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET'],
      [{ ZOOM_ACCOUNT_ID: 'a', ZOOM_CLIENT_ID: 'b' }, 'ZOOM_CLIENT_SECRET'],
    ] as const;
    for (const [env, names] of cases) {
      const { code, stdout, stderr } = await run({ env: { ...host(), ...env } });
      assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
      assert.equal(stderr, `Set ${names}\nin the environment or in .env, or run this in a terminal to be asked.\n`);
    }
  });

  it('are not asked for where stderr is no terminal', inTerminal, async () => {
    const cwd = folder();
    const terminal = new Terminal({ command: shell('2> err'), env: host(), cwd });
    assert.equal(await terminal.end(), 2);
    assert.match(readFileSync(join(cwd, 'err'), 'utf8'), /^Set ZOOM_ACCOUNT_ID, .*\n.*\n$/);
  });

  it(
    'are asked for in order, with two lines before on where they are, saved, and not asked for again',
    inTerminal,
    async () => {
      const cwd = folder();
      const terminal = new Terminal({ command: S2S, env: host(), cwd });
      await answerAll(terminal);
      assert.equal(await terminal.end(), 0);
      const [first, second, third] = terminal.screen.split('\n');
      assert.equal(first, 'Find credentials in the Zoom App Marketplace, https://marketplace.zoom.us/:');
      assert.equal(second, 'Manage > your app > App Credentials; Develop > Build App to create one.');
      assert.match(third ?? '', /^\? ZOOM_ACCOUNT_ID ›/);
      assert.ok(terminal.screen.includes('*'.repeat(ACCOUNT.ZOOM_CLIENT_SECRET.length)));
      assert.match(terminal.screen, /\nSaved ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET in \.env\.\n/);
      assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), DOTENV);
      assert.equal(statSync(join(cwd, '.env')).mode & 0o777, 0o600);
      assert.deepEqual(files(cwd), ['.env']);

      const again = new Terminal({ env: host(), cwd });
      assert.equal(await again.end(), 0);
      assert.ok(!again.screen.includes('?'));
    },
  );

  it(
    'are asked for on stderr, only those that are missing, and cleared of spaces around them',
    inTerminal,
    async () => {
      const cwd = folder();
      writeFileSync(join(cwd, '.env'), `ZOOM_CLIENT_ID=${ACCOUNT.ZOOM_CLIENT_ID}\n`);
      const env = { ...host(), ZOOM_ACCOUNT_ID: ACCOUNT.ZOOM_ACCOUNT_ID };
      const terminal = new Terminal({ command: shell('> out'), env, cwd });
      await terminal.answer('ZOOM_CLIENT_SECRET', '\r');
      await terminal.see('A value is needed.');
      terminal.type('   \r');
      await terminal.see('A value is needed.');
      terminal.type(`${ACCOUNT.ZOOM_CLIENT_SECRET}  \r`);
      assert.equal(await terminal.end(), 0);
      assert.ok(!/ZOOM_(ACCOUNT|CLIENT)_ID/.test(terminal.screen));
      assert.match(terminal.screen, /\nSaved ZOOM_CLIENT_SECRET in \.env\.\n/);
      const [empty, heading] = readFileSync(join(cwd, 'out'), 'utf8').split('\n');
      assert.deepEqual([empty, heading], ['', 'Zoom Server-to-Server Oauth token:']);
      assert.equal(parse(readFileSync(join(cwd, '.env')))['ZOOM_CLIENT_SECRET'], ACCOUNT.ZOOM_CLIENT_SECRET);
    },
  );

  it('fill as many questions as there are lines, where several lines are pasted at once', inTerminal, async () => {
    const values = Object.values(ACCOUNT);
    for (const paste of [
      values.join('\r') + '\r',
      `\r${values.join('\r\n  \r\n\r\n')}\r\n`,
      `\x1b[200~${values.join('\n')}\n\x1b[201~`,
      `${values.join('\r')}\ra fourth line\r`,
    ]) {
      const cwd = folder();
      const terminal = new Terminal({ env: host(), cwd });
      await terminal.answer('ZOOM_ACCOUNT_ID', paste);
      assert.equal(await terminal.end(), 0, terminal.screen);
      assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), DOTENV);
      assert.doesNotMatch(terminal.raw, /Stand?I?n?ClientS/);
    }
  });

  it('fill the questions that are left, where two lines are pasted at the second', inTerminal, async () => {
    const cwd = folder();
    const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;
    const terminal = new Terminal({ env: host(), cwd });
    await terminal.answer('ZOOM_ACCOUNT_ID', `${ZOOM_ACCOUNT_ID}\r`);
    await terminal.answer('ZOOM_CLIENT_ID', `${ZOOM_CLIENT_ID}\r${ZOOM_CLIENT_SECRET}`);
    await terminal.see('*'.repeat(ZOOM_CLIENT_SECRET.length));
    terminal.type('\r');
    assert.equal(await terminal.end(), 0);
    assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), DOTENV);
  });

  it('are not taken for an answer to another question, behind a line that is none', inTerminal, async () => {
    const cwd = folder();
    const [account = '', ...rest] = Object.values(ACCOUNT);
    const terminal = new Terminal({ env: host(), cwd });
    await terminal.answer('ZOOM_ACCOUNT_ID', `${account}\u200b\r${rest.join('\r')}\r`);
    await terminal.see('It has an invisible character, U+200B: press Ctrl-G and enter it again.');
    terminal.type(`\x07${account}\r${rest.join('\r')}\r`);
    assert.equal(await terminal.end(), 0);
    assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), DOTENV);
  });

  it('are not made of what cannot be seen: keys, and characters of a paste', inTerminal, async () => {
    const { ZOOM_CLIENT_SECRET, ...rest } = ACCOUNT;
    for (const [typed, code] of [
      ['wrong\x15', 'U+0015'],
      ['wr\tong', 'U+0009'],
      ['wr\u00adong', 'U+00AD'],
      ['\u2060wrong', 'U+2060'],
    ]) {
      const terminal = new Terminal({ env: { ...host(), ...rest } });
      await terminal.answer('ZOOM_CLIENT_SECRET', `${typed}\r`);
      await terminal.see(`It has an invisible character, ${code}: press Ctrl-G and enter it again.`);
      terminal.type(`\x07${ZOOM_CLIENT_SECRET}\r`);
      assert.equal(await terminal.end(), 0);
    }
  });

  it('can be edited, and keys without text leave them alone', inTerminal, async () => {
    const { ZOOM_CLIENT_SECRET, ...rest } = ACCOUNT;
    const terminal = new Terminal({ env: { ...host(), ...rest } });
    const [left, right, remove, f5, pageUp] = ['[D', '[C', '[3~', '[15~', '[5~'].map((code) => `\x1b${code}`);
    const last = ZOOM_CLIENT_SECRET.slice(-1);
    const typed = `${f5}x${ZOOM_CLIENT_SECRET.slice(0, -1)}${f5}\x01${remove}\x05y\x7f${left}${right}${pageUp}${last}`;
    await terminal.answer('ZOOM_CLIENT_SECRET', `${typed}\r`);
    assert.equal(await terminal.end(), 0, terminal.screen);
  });

  for (const [key, name] of [
    ['\x03', 'Ctrl-C'],
    ['\x04', 'Ctrl-D'],
    ['\x1b', 'Escape'],
  ] as const)
    it(`are not saved, and Zoom not asked, after ${name}`, inTerminal, async () => {
      const cwd = folder();
      const own = await ownStandIn();
      const terminal = new Terminal({
        command: ['bash', '-c', `${S2S_LINE}; echo $?; stty -a`],
        env: { ZOOM_HOST: own.url },
        cwd,
      });
      await terminal.answer('ZOOM_ACCOUNT_ID', 'account\r');
      await terminal.answer('ZOOM_CLIENT_ID', `cli${key}`);
      await terminal.end();
      assert.match(terminal.screen, /\nCancelled\n130\n/);
      assert.match(terminal.screen, / icanon .* echo /s, 'the terminal is as it was');
      assert.deepEqual(files(cwd), []);
      assert.equal(own.requests.length, 0);
    });

  it('are saved before Zoom is asked', inTerminal, async () => {
    const cwd = folder();
    const terminal = new Terminal({ env: { ZOOM_HOST: 'http://127.0.0.1:1' }, cwd });
    await answerAll(terminal);
    assert.equal(await terminal.end(), 1);
    assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), DOTENV);
  });

  it('fill the lines of .env.example in place', inTerminal, async () => {
    const cwd = folder();
    const example = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
    writeFileSync(join(cwd, '.env'), example);
    const terminal = new Terminal({ env: host(), cwd });
    await answerAll(terminal);
    assert.equal(await terminal.end(), 0);
    const filled = Object.entries(ACCOUNT).reduce(
      (text, [name, value]) => text.replace(`${name}=`, `${name}=${value}`),
      example,
    );
    assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), filled);
  });

  it('replace the line that counts, where there are several', inTerminal, async () => {
    const cwd = folder();
    writeFileSync(join(cwd, '.env'), 'ZOOM_ACCOUNT_ID=old\nPORT=1\nZOOM_ACCOUNT_ID=\nHOST=a\n');
    const terminal = await typeAccountId(standIn, { args: ['--token'], cwd });
    assert.equal(await terminal.end(), 0);
    const expected = `ZOOM_ACCOUNT_ID=old\nPORT=1\nZOOM_ACCOUNT_ID=${ACCOUNT.ZOOM_ACCOUNT_ID}\nHOST=a\n`;
    assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), expected);
  });

  const cannotGive = process.getuid?.() !== 0 && 'only root can give a file away';
  it('leave .env to its owner', { skip: inTerminal.skip || cannotGive }, async () => {
    const cwd = folder();
    writeFileSync(join(cwd, '.env'), 'ZOOM_ACCOUNT_ID=\n', { mode: 0o400 });
    chownSync(join(cwd, '.env'), 1234, 5678);
    const terminal = await typeAccountId(standIn, { args: ['--token'], cwd });
    assert.equal(await terminal.end(), 0);
    const { uid, gid, mode } = statSync(join(cwd, '.env'));
    assert.deepEqual([uid, gid, mode & 0o777], [1234, 5678, 0o400]);
    assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), `ZOOM_ACCOUNT_ID=${ACCOUNT.ZOOM_ACCOUNT_ID}\n`);
  });

  it('leave the mode of .env and a symbolic link as they are', inTerminal, async () => {
    for (const target of ['settings', 'not-yet-there']) {
      const cwd = folder();
      mkdirSync(join(cwd, 'elsewhere'));
      if (target === 'settings') {
        writeFileSync(join(cwd, 'elsewhere', target), 'KEEP=1');
        chmodSync(join(cwd, 'elsewhere', target), 0o640);
      }
      symlinkSync(join('elsewhere', target), join(cwd, '.env'));
      const terminal = new Terminal({ env: host(), cwd });
      await answerAll(terminal);
      assert.equal(await terminal.end(), 0);
      assert.ok(lstatSync(join(cwd, '.env')).isSymbolicLink());
      assert.equal(readlinkSync(join(cwd, '.env')), join('elsewhere', target));
      assert.deepEqual(files(join(cwd, 'elsewhere')), [target]);
      const kept = target === 'settings';
      assert.equal(statSync(join(cwd, '.env')).mode & 0o777, kept ? 0o640 : 0o600);
      assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), `${kept ? 'KEEP=1\n' : ''}${DOTENV}`);
    }
  });

  it('replace .env as a whole: its old content stays for whoever has it open', inTerminal, async () => {
    const cwd = folder();
    writeFileSync(join(cwd, '.env'), 'KEEP=1\n');
    const { ino } = statSync(join(cwd, '.env'));
    const terminal = new Terminal({ env: host(), cwd });
    await answerAll(terminal);
    assert.equal(await terminal.end(), 0);
    assert.notEqual(statSync(join(cwd, '.env')).ino, ino);
    assert.deepEqual(files(cwd), ['.env']);
  });

  it('replace a value behind a byte order mark', inTerminal, async () => {
    const cwd = folder();
    writeFileSync(join(cwd, '.env'), '\ufeffZOOM_ACCOUNT_ID=\nKEEP=1\n');
    const terminal = await typeAccountId(standIn, { args: ['--token'], cwd });
    assert.equal(await terminal.end(), 0);
    const expected = `\ufeffZOOM_ACCOUNT_ID=${ACCOUNT.ZOOM_ACCOUNT_ID}\nKEEP=1\n`;
    assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), expected);
  });

  it('are not read from UTF-16, and the file is left alone', async () => {
    const le = Buffer.from(DOTENV, 'utf16le');
    for (const bytes of [
      Buffer.from(`\ufeff${DOTENV}`, 'utf16le'),
      Buffer.from(`\ufeff${DOTENV}`, 'utf16le').swap16(),
      le,
      Buffer.from(le).swap16(),
    ]) {
      const cwd = folder();
      writeFileSync(join(cwd, '.env'), bytes);
      const { code, stdout, stderr } = await run({ cwd, env: host() });
      const words = '.env is in UTF-16, which dotenv cannot read:\nsave it in UTF-8.\n';
      assert.deepEqual([code, stdout, stderr], [2, '', words]);
      assert.deepEqual(readFileSync(join(cwd, '.env')), bytes);
    }
  });

  it('are used for the run where .env is a folder', inTerminal, async () => {
    const cwd = folder();
    mkdirSync(join(cwd, '.env'));
    const terminal = new Terminal({ env: host(), cwd });
    await answerAll(terminal);
    assert.equal(await terminal.end(), 0);
    assert.match(terminal.screen, /^Cannot read \.env: illegal operation on a directory\.\n/);
    assert.match(terminal.screen, /\nCannot save .* in \.env: it is not a regular file\.\n/);
    assert.ok(terminal.screen.includes('Expires at'));
    assert.deepEqual(files(cwd), ['.env']);
  });

  it('in a file that others can read are spoken of, with the command that mends it', inTerminal, async () => {
    for (const mode of [0o644, 0o640, 0o600]) {
      const cwd = folder();
      writeFileSync(join(cwd, '.env'), '');
      chmodSync(join(cwd, '.env'), mode);
      const terminal = await typeAccountId(standIn, { cwd });
      assert.equal(await terminal.end(), 0);
      const told = mode === 0o600 ? '' : 'Others can read it: chmod 600 .env\n';
      assert.ok(terminal.screen.includes(`\nSaved ZOOM_ACCOUNT_ID in .env.\n${told}\n`), terminal.screen);
    }
  });

  it('leave a file alone that has the name of the one beside .env in older versions', inTerminal, async () => {
    const cwd = folder();
    const terminal = new Terminal({ cwd, env: configured(standIn, { ZOOM_ACCOUNT_ID: undefined }) });
    await terminal.see('? ZOOM_ACCOUNT_ID ›');
    const other = `.env.${terminal.pid}`;
    writeFileSync(join(cwd, other), 'KEEP=1');
    terminal.type(`${ACCOUNT.ZOOM_ACCOUNT_ID}\r`);
    assert.equal(await terminal.end(), 0);
    assert.deepEqual(files(cwd), ['.env', other]);
    assert.equal(readFileSync(join(cwd, other), 'utf8'), 'KEEP=1');
  });

  it('are used for the run where .env is a chain of links without an end', inTerminal, async () => {
    const cwd = folder();
    symlinkSync('.env', join(cwd, '.env'));
    const terminal = new Terminal({ env: host(), cwd });
    await answerAll(terminal);
    assert.equal(await terminal.end(), 0);
    assert.match(terminal.screen, /\nCannot save .* in \.env: too many symbolic links encountered\.\n/);
  });

  const namespace = process.getuid?.() === 0 ? 'unshare --mount' : 'unshare --mount --user --map-root-user';
  const inNamespace = { skip: lacking(`${namespace} mount -t tmpfs tmpfs .`) };
  /** The script in a namespace of its own, in which a line of shell has mounted something first. */
  const mounted = (mount: string, cwd: string) =>
    new Terminal({
      command: [...namespace.split(' '), 'bash', '-c', `${mount} && cd "$PWD" && ${S2S_LINE}; echo $?; ls -A`],
      env: host(),
      cwd,
    });
  for (const [name, options, why] of [
    ['read-only folder', 'ro', 'read-only file system'],
    ['full disk', 'size=4k', 'no space left on device'],
  ] as const)
    it(`are used for the run in a ${name}`, inNamespace, async () => {
      const fill = 'cd "$PWD" && { head -c 9999 /dev/zero > fill; ls -A; }';
      const terminal = mounted(`mount -t tmpfs -o ${options} tmpfs . && ${fill}`, folder());
      await answerAll(terminal);
      await terminal.end();
      assert.match(terminal.screen, new RegExp(`\nCannot save ZOOM_.* in \\.env: ${why}\\.\n`));
      assert.match(terminal.screen, /\nExpires at .*\n0\n(fill\n)?$/);
    });

  for (const [name, mount] of [
    ['mounted', 'mount --bind other .env'],
    [
      'mounted in a read-only folder',
      'mount --bind . . && cd "$PWD" && mount --bind other .env && mount -o remount,bind,ro .',
    ],
  ] as const)
    it(`are written into a file that cannot be replaced: ${name}`, inNamespace, async () => {
      const cwd = folder();
      writeFileSync(join(cwd, '.env'), '');
      writeFileSync(join(cwd, 'other'), `KEEP=${'x'.repeat(99)}\nZOOM_ACCOUNT_ID='${'y'.repeat(99)} '\n`);
      const { ino } = statSync(join(cwd, 'other'));
      const terminal = mounted(mount, cwd);
      await terminal.answer('ZOOM_CLIENT_ID', `wrong\r${ACCOUNT.ZOOM_CLIENT_SECRET}\r`);
      await terminal.see('Enter keeps a value.');
      await terminal.answer('ZOOM_CLIENT_ID', `${ACCOUNT.ZOOM_CLIENT_ID}\r`);
      await terminal.answer('ZOOM_CLIENT_SECRET', '\r');
      await terminal.see('ZOOM_ACCOUNT_ID is most likely wrong');
      await terminal.answer('ZOOM_ACCOUNT_ID', `${ACCOUNT.ZOOM_ACCOUNT_ID}\r`);
      await terminal.end();
      assert.match(terminal.screen, /\nExpires at .*\n0\n\.env +other\n$/);
      assert.equal(readFileSync(join(cwd, 'other'), 'utf8'), `KEEP=${'x'.repeat(99)}\n${DOTENV}`);
      assert.equal(statSync(join(cwd, 'other')).ino, ino);
    });

  const isRoot = process.getuid?.() === 0 && 'root can write in any folder';
  it(
    'are written into a file that cannot be replaced: in a folder of others',
    { skip: inTerminal.skip || isRoot },
    async () => {
      const cwd = folder();
      writeFileSync(join(cwd, '.env'), 'KEEP=1\n');
      chmodSync(cwd, 0o555);
      const terminal = await typeAccountId(standIn, { cwd });
      assert.equal(await terminal.end(), 0);
      chmodSync(cwd, 0o755);
      assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), `KEEP=1\nZOOM_ACCOUNT_ID=${ACCOUNT.ZOOM_ACCOUNT_ID}\n`);
    },
  );

  it('are not saved with NODE_ENV=production', inTerminal, async () => {
    const cwd = folder();
    const terminal = new Terminal({ env: { ...host(), NODE_ENV: ' Production ' }, cwd });
    await answerAll(terminal);
    assert.equal(await terminal.end(), 0);
    const note =
      'NODE_ENV is production, so nothing is saved. Set in the target environment:\n' +
      'ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET.\n';
    assert.ok(terminal.screen.includes(note), terminal.screen);
    assert.ok(!existsSync(join(cwd, '.env')));
  });

  it('are refused by name where dotenv cannot represent them, and the others saved', inTerminal, async () => {
    const cwd = folder();
    const own = await ownStandIn((response) => json(response, 200, GRANTED));
    const terminal = new Terminal({ env: { ZOOM_HOST: own.url }, cwd });
    await terminal.answer('ZOOM_ACCOUNT_ID', `all'three"quotes\`and#\r`);
    await terminal.answer('ZOOM_CLIENT_ID', 'id\r');
    await terminal.answer('ZOOM_CLIENT_SECRET', '# "it\'s" $HOME \\n é\r');
    assert.equal(await terminal.end(), 0);
    assert.match(terminal.screen, /ZOOM_ACCOUNT_ID is not saved: dotenv has no way to write this value in \.env\./);
    assert.match(terminal.screen, /Saved ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET in \.env\./);
    assert.deepEqual(
      { ...parse(readFileSync(join(cwd, '.env'))) },
      { ZOOM_CLIENT_ID: 'id', ZOOM_CLIENT_SECRET: '# "it\'s" $HOME \\n é' },
    );
  });

  it('go to no host but Zoom and this machine', async () => {
    const hosts = [
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
    ];
    await Promise.all(
      hosts.map(async (ZOOM_HOST) => {
        const { code, stdout, stderr } = await run({ env: { ...ACCOUNT, ZOOM_HOST } });
        assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
        assert.match(
          stderr,
          /^ZOOM_HOST is "[\x20-\x7e]+", which is no host of Zoom's\.\nSet it to zoom\.us or zoomgov\.com, or unset it\.\n$/,
        );
      }),
    );
  });

  it("go to Zoom's hosts over https only, and to this machine", async () => {
    const destinations = {
      '': 'tls zoom.us:443',
      'zoom.us': 'tls zoom.us:443',
      'https://zoom.us/': 'tls zoom.us:443',
      'ZOOM.US': 'tls zoom.us:443',
      'zoomgov.com': 'tls zoomgov.com:443',
      'https://eu01api.zoomgov.com': 'tls eu01api.zoomgov.com:443',
      'https://localhost:1': 'tls localhost:1',
      '127.9.9.9:1': 'tls 127.9.9.9:1',
      'http://localhost:1': 'tcp localhost:1',
      'http://[::1]:1': 'tcp ::1:1',
    };
    await Promise.all(
      Object.entries(destinations).map(async ([ZOOM_HOST, destination]) => {
        const S2S_DESTINATIONS = join(folder(), 'destinations');
        const { code } = await run({ env: { ...ACCOUNT, ZOOM_HOST, S2S_DESTINATIONS } });
        assert.equal(code, 1);
        assert.equal(readFileSync(S2S_DESTINATIONS, 'utf8'), `${destination}\n`);
      }),
    );
  });
});
