/** Credentials: where they come from, when and how they are saved, and which servers they are sent to. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ACCOUNT, BASIC, DOTENV, TOKEN, respondLikeZoom, respondWith } from './mock-zoom.ts';
import { type Env, S2S_QUOTED, S2S_WITHOUT_TSX, dotenv, expectRun, files, folder, preloading } from './script.ts';
import { run, start, withCredentials, withoutAccountId } from './script.ts';
import { ownMockZoom, sharedMockZoom } from './servers.ts';
import { isRoot, isWindows, skipWithout, unshare } from './skip.ts';
import { Terminal, inTerminal, inTerminalWithCtrlC, inUnixTerminal, session } from './terminal.ts';

const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;
const LINE = `ZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\n`;
const SAVED = '\nSaved ZOOM_ACCOUNT_ID in .env.\n';
const notSaved = (reason: string) => `Cannot save ZOOM_ACCOUNT_ID in .env: ${reason}. The next run will prompt again. `;
// Begin with a longer file, so that nothing of it may stay behind the new text.
const BEFORE = `KEEP=1\nZOOM_ACCOUNT_ID="${' '.repeat(99)}"\n`;
const AFTER = `KEEP=1\n${LINE}`;
const skipWithoutMount = inTerminal.skip || skipWithout(`${unshare('--mount').join(' ')} mount -t tmpfs tmpfs .`);
const withCtrlC = await inTerminalWithCtrlC();

/** Returns an environment in which a function of node:fs fails for the temporary file, which must be private. */
const failing = (name: string, code: string) =>
  preloading(`const fs = require('node:fs');
    const { ${name}: original } = fs;
    fs.${name} = (path, ...args) => {
      if (!path.includes('.env.')) return original(path, ...args);
      if ('${name}' === 'writeFileSync') original(path, ...args);
      if ('${name}' !== 'renameSync' && process.platform !== 'win32' && fs.statSync(path).mode & 0o77) process.exit(99);
      throw Object.assign(new Error('${code}: no luck, ${name}'), { code: '${code}' });
    };
    require('node:module').syncBuiltinESMExports();`);

describe('the script', { concurrency: 4 }, () => {
  const zoom = sharedMockZoom();
  const host = () => ({ ZOOM_HOST: zoom.url });

  /** Types the account ID in a folder, and returns what is shown and what the folder has then. */
  async function typeIn(cwd: string, env: Env = {}, command = S2S_WITHOUT_TSX) {
    const result = await session({ command, env: { ...withoutAccountId(zoom), ...env }, cwd });
    return { ...result, files: files(cwd) };
  }

  it('sends the credentials of the environment in one POST, and hides them from child processes', async () => {
    const { requests, ...server } = await ownMockZoom();
    const cwd = folder();
    const saveEnv = "require('node:fs').writeFileSync('env', Object.keys(process.env).join())";
    const preload = preloading(`process.on('exit', () => ${saveEnv})`);
    const result = await run({ env: withCredentials(server, preload), cwd });
    expectRun(result, { code: 0, stdout: new RegExp(`\n${TOKEN}\n`) });
    assert.doesNotMatch(fs.readFileSync(join(cwd, 'env'), 'utf8'), /ACCOUNT|CLIENT/);
    const [{ headers, ...request } = { headers: {} }, ...others] = requests;
    const body = `grant_type=account_credentials&account_id=${ZOOM_ACCOUNT_ID}`;
    assert.deepEqual([request, ...others], [{ method: 'POST', path: '/oauth/token', body }]);
    assert.equal(headers.connection, 'close'); // A retry does not reuse a connection.
    assert.equal(headers.authorization, `Basic ${BASIC}`);
    assert.equal(headers['content-type'], 'application/x-www-form-urlencoded');
  });

  it('saves what was typed once Zoom accepts it, and says so before it prints the token', inTerminal, async () => {
    const cwd = folder();
    let filesOnRequest: string[] = ['no request'];
    const server = await ownMockZoom((...args) => {
      filesOnRequest = files(cwd);
      respondLikeZoom(...args);
    });
    const { screen, dotenv } = await session({ env: { ZOOM_HOST: server.url }, cwd });
    assert.match(screen, /\nSaved in \.env\.\n\nZoom Server/);
    assert.deepEqual({ filesOnRequest, dotenv }, { filesOnRequest: [], dotenv: DOTENV });
    if (!isWindows) assert.equal(fs.statSync(join(cwd, '.env')).mode & 0o777, 0o600);
  });

  it('saves nothing if the user cancels after a rejection', inTerminal, async () => {
    const cwd = folder({ '.env': 'ZOOM_ACCOUNT_ID= # none\n' });
    const terminal = new Terminal({ env: withoutAccountId(zoom), cwd });
    await terminal.answer('ZOOM_ACCOUNT_ID', 'typo\r');
    await terminal.see('Zoom rejected');
    await terminal.answer('ZOOM_ACCOUNT_ID', '\x04'); // Ctrl-D
    assert.equal(await terminal.end(), 130);
    assert.equal(dotenv(cwd), 'ZOOM_ACCOUNT_ID= # none\n');
  });

  for (const { name, respond } of [
    { name: 'the network fails' },
    { name: 'Zoom is down', respond: respondWith(503, {}, { 'Retry-After': '60' }) },
    { name: 'something else responds', respond: respondWith(200, 'Log in') },
  ])
    it(`saves what was typed if ${name}`, inTerminal, async () => {
      const server = respond ? await ownMockZoom(respond) : { url: 'http://127.0.0.1:1' };
      const { screen, dotenv } = await session({ env: withoutAccountId(server), code: 1 });
      assert.ok(screen.includes(SAVED), screen);
      assert.equal(dotenv, LINE);
    });

  for (const { signal, code, ...options } of [
    { signal: 'Ctrl-C', code: 130, ...withCtrlC },
    { signal: 'SIGTERM', code: 143, ...inUnixTerminal },
  ])
    it(`saves what was typed if ${signal} ends it while Zoom is silent`, options, async () => {
      const cwd = folder();
      const { server, url } = await ownMockZoom(() => {}); // Never responds.
      const requested = once(server, 'request');
      const terminal = new Terminal({ env: withoutAccountId({ url }), cwd });
      await terminal.answer('ZOOM_ACCOUNT_ID', `${ZOOM_ACCOUNT_ID}\r`);
      await requested;
      // end() checks that nothing of this is echoed.
      terminal.type(`${ZOOM_CLIENT_SECRET}${signal === 'Ctrl-C' ? '\x03' : '\r'}`);
      if (signal === 'SIGTERM') process.kill(terminal.pid, signal);
      await terminal.see(SAVED);
      assert.equal(await terminal.end(), code);
      assert.equal(dotenv(cwd), LINE);
    });

  it('saves nothing if NODE_ENV is production, and says so before it prompts', inTerminal, async () => {
    const { words, files } = await typeIn(folder(), { NODE_ENV: ' Production ' });
    const note = 'NODE_ENV is "production", so nothing is saved. Set the values in the environment instead. ? ZOOM';
    assert.ok(words.includes(`App Credentials. ${note}`), words);
    assert.ok(words.includes(`${ZOOM_ACCOUNT_ID} Zoom Server`), words);
    assert.deepEqual(files, []);
  });

  for (const { name, before = '', line, after = '\n' } of [
    { name: 'the last one', before: 'ZOOM_ACCOUNT_ID=old\nKEEP=1\n', line: 'ZOOM_ACCOUNT_ID=', after: '\r\n' },
    { name: 'an empty one before a comment', line: 'ZOOM_ACCOUNT_ID=', after: '  # note\nNOTE=ZOOM_ACCOUNT_ID=x\n' },
    { name: 'export, quotes, and a comment', line: "export ZOOM_ACCOUNT_ID = ''", after: ' # note' },
    { name: 'a byte order mark and a colon', before: '\ufeff', line: ' ZOOM_ACCOUNT_ID: ""', after: '\r\nKEEP=1\r\n' },
  ])
    it(`changes a value in its line, and nothing else: ${name}`, inTerminal, async () => {
      const { dotenv } = await typeIn(folder({ '.env': before + line + after }));
      assert.equal(dotenv, before + line.replace(/["']*$/, ZOOM_ACCOUNT_ID) + after);
    });

  it('saves nothing where dotenv would read back something else', inTerminal, async () => {
    const { words, dotenv } = await typeIn(folder({ '.env': 'LABEL:\n' }));
    assert.ok(words.includes(notSaved('dotenv would read back something else')), words);
    assert.equal(dotenv, 'LABEL:\n');
  });

  for (const { mode, note = 'Others can read .env. Run chmod 600 .env.\n' } of [
    { mode: 0o640 },
    { mode: 0o604 },
    { mode: 0o400, note: '' },
  ])
    it(`replaces .env by rename, keeping its owner and its mode, ${mode.toString(8)}`, inUnixTerminal, async () => {
      const cwd = folder({ '.env': BEFORE });
      const path = join(cwd, '.env');
      fs.chmodSync(path, mode);
      if (isRoot) fs.chownSync(path, 1234, 5678);
      const { ino, ...old } = fs.statSync(path);
      const { screen, dotenv, files } = await typeIn(cwd);
      assert.ok(screen.includes(`${SAVED}${note}\n`), screen);
      assert.deepEqual({ dotenv, files }, { dotenv: AFTER, files: ['.env'] });
      const stats = fs.statSync(path);
      assert.deepEqual([stats.mode, stats.uid, stats.gid], [old.mode, old.uid, old.gid]);
      assert.notEqual(stats.ino, ino);
    });

  for (const { name, content, text, mode } of [
    { name: 'an existing file', content: BEFORE, text: AFTER, mode: 0o640 },
    { name: 'a file that does not exist yet', text: LINE, mode: 0o600 },
  ])
    it(`keeps a symbolic link to ${name}`, inUnixTerminal, async () => {
      const cwd = folder();
      const elsewhere = folder(content ? { settings: content } : {});
      const target = join(elsewhere, 'settings');
      if (content) fs.chmodSync(target, mode);
      fs.symlinkSync(target, join(cwd, '.env'));
      const { dotenv } = await typeIn(cwd);
      assert.equal(fs.readlinkSync(join(cwd, '.env')), target);
      assert.deepEqual(files(elsewhere), ['settings']);
      assert.deepEqual({ mode: fs.statSync(target).mode & 0o777, dotenv }, { mode, dotenv: text });
    });

  for (const { call, code, fails = false } of [
    { call: 'writeFileSync', code: 'EACCES' },
    { call: 'chownSync', code: 'EPERM' },
    { call: 'chmodSync', code: 'EOPNOTSUPP' },
    { call: 'renameSync', code: 'EBUSY' },
    { call: 'renameSync', code: 'ENOSYS' },
    { call: 'writeFileSync', code: 'ENOSPC', fails: true },
    { call: 'writeFileSync', code: 'Unknown system error -122', fails: true },
  ])
    it(`${fails ? 'keeps .env' : 'saves in place'} if ${call} fails with ${code}`, inTerminal, async () => {
      const cwd = folder({ '.env': BEFORE });
      const { ino } = fs.statSync(join(cwd, '.env'));
      const { words, dotenv, files } = await typeIn(cwd, failing(call, code));
      assert.ok(words.includes(fails ? notSaved(`${code}: no luck`) : SAVED.trim()), words);
      assert.deepEqual({ dotenv, files }, { dotenv: fails ? BEFORE : AFTER, files: ['.env'] });
      assert.equal(fs.statSync(join(cwd, '.env')).ino, ino);
    });

  describe('with a mount', { concurrency: 3, skip: skipWithoutMount }, () => {
    const full = 'mount -t tmpfs -o size=4k tmpfs . && cd "$PWD" && ! head -c 9999 /dev/zero > fill';
    for (const { name, mount, reason, left = '.env other ' } of [
      { name: 'is read-only', mount: 'mount -t tmpfs -o ro tmpfs .', reason: 'EROFS: read-only file system', left: '' },
      { name: 'is full', mount: full, reason: 'ENOSPC: no space left on device', left: '.env fill ' },
      { name: 'has a mount point as .env', mount: 'mount --bind other .env' },
    ])
      it(`${reason ? 'says why it does not save' : 'saves in place'} if the folder ${name}`, async () => {
        const cwd = folder({ '.env': '', other: BEFORE });
        const command = [...unshare('--mount'), 'bash', '-c', `${mount} && cd "$PWD" && ${S2S_QUOTED}; ls -A`];
        const { words } = await typeIn(cwd, {}, command);
        assert.ok(words.includes(reason ? notSaved(reason) : SAVED.trim()), words);
        assert.ok(words.endsWith(`, in 60 minutes. ${left}`), words);
        assert.equal(fs.readFileSync(join(cwd, 'other'), 'utf8'), reason ? BEFORE : AFTER);
      });
  });

  describe('after saving', { concurrency: 4, skip: inTerminal.skip || skipWithout('git --version') }, () => {
    for (const { name, file = '.env', ignored = '', warns, isRepository = true, command, skip = false } of [
      { name: 'does not ignore .env', warns: true },
      { name: 'does not ignore a file in another folder', file: join('a', 'b.env'), ignored: '.env', warns: true },
      { name: 'ignores .env', ignored: '.env' },
      { name: 'ignores a file in another folder', file: join('a', '.env'), ignored: 'a/*' },
      { name: 'has no repository here', isRepository: false },
      { name: 'is not installed', command: ['env', 'PATH=none', ...S2S_WITHOUT_TSX], skip: isWindows && 'needs env' },
    ])
      it(`${warns ? 'warns' : 'does not warn'} if Git ${name}`, { skip }, async () => {
        const cwd = folder({ '.gitignore': ignored });
        fs.mkdirSync(join(cwd, 'a'));
        if (isRepository) execFileSync('git', ['init', '--quiet'], { cwd });
        const { words } = await typeIn(cwd, { DOTENV_PATH: file }, command);
        const note = `Git does not ignore ${file}. Add it to .gitignore. If tracked, run git rm --cached ${file}. `;
        assert.ok(words.includes(`Saved ZOOM_ACCOUNT_ID in ${file}. ${warns ? note : ''}Zoom Server`), words);
      });
  });

  it('gets a token even if .env is a folder', inTerminal, async () => {
    const cwd = folder();
    fs.mkdirSync(join(cwd, '.env'));
    const { words, files } = await typeIn(cwd);
    assert.ok(words.startsWith('Cannot read .env: EISDIR: illegal operation on a directory. Not set in'), words);
    assert.ok(words.includes(`${notSaved('it is not a regular file')}Zoom Server`), words);
    assert.deepEqual(files, ['.env']);
  });

  it('refuses and keeps a .env that is UTF-16, if only in part', async () => {
    const utf16 = Buffer.from(DOTENV, 'utf16le');
    for (const bytes of [utf16, Buffer.concat([Buffer.from(DOTENV), utf16])]) {
      const cwd = folder({ '.env': bytes });
      const stderr = '.env is not UTF-8 text (it may be UTF-16).\nSave it as UTF-8.\n';
      expectRun(await run({ cwd, env: host() }), { code: 2, stdout: '', stderr });
      assert.deepEqual(fs.readFileSync(join(cwd, '.env')), bytes);
    }
  });

  const strangers = [
    ...['zoom', 'api', 'zoom.example', '"zoom.us"', 'https://example.com', 'zoom.us.example.com', 'evilzoom.us'],
    ...['zoom.us@example.com', 'http://zoom.us', 'ftp://zoom.us', 'zoomXus', 'http://192.0.2.1', 'https://[::2]'],
    ...['http://127.0.0.1.example.com', 'http://localhost.example.com', 'http://', 'zoom.us\x1b[31m', 'zoom.us.'],
  ];
  for (const { host, place } of [
    ...strangers.map((host) => ({ host, place: 'the environment' })),
    ...['zoom', 'http://localhost:8099', 'http://127.0.0.1:1'].map((host) => ({ host, place: '.env' })),
  ])
    it(`refuses the host ${JSON.stringify(host)} in ${place}`, async () => {
      const problem = `ZOOM_HOST in ${place} is invalid.\n`;
      const cwd = folder({ '.env': place === '.env' ? `ZOOM_HOST=${host}\n` : '' });
      const result = await run({ cwd, env: { ...ACCOUNT, ZOOM_HOST: place === '.env' ? '' : host } });
      expectRun(result, { code: 2, stdout: '', stderr: `${problem}Set it to zoom.us or zoomgov.com, or unset it.\n` });
    });

  for (const { host, inFile = '', destination } of [
    { host: '', destination: 'tls zoom.us:443' },
    { host: '  zoom.us ', inFile: 'zoomgov.com', destination: 'tls zoom.us:443' },
    { host: ' ', inFile: '" zoomgov.com "', destination: 'tls zoomgov.com:443' },
    { host: 'https://ZOOM.US/', destination: 'tls zoom.us:443' },
    { host: 'https://eu01api.zoomgov.com', destination: 'tls eu01api.zoomgov.com:443' },
    { host: '127.9.9.9:1', destination: 'tls 127.9.9.9:1' },
    { host: 'http://localhost:1', destination: 'tcp localhost:1' },
    { host: 'http://[::1]:1', destination: 'tcp ::1:1' },
  ])
    it(`connects to ${destination} if ZOOM_HOST is "${host}"${inFile && ` and, in .env, ${inFile}`}`, async () => {
      const S2S_DESTINATIONS = join(folder(), 'destinations');
      const env = { ...ACCOUNT, ZOOM_HOST: host, S2S_DESTINATIONS };
      const { child, result } = start({ env, cwd: folder({ '.env': `ZOOM_HOST=${inFile}\n` }) });
      child.stderr.once('data', () => child.kill()); // Don't wait for the next attempt.
      await result;
      // Ignore how many attempts there were: another one may begin before the process is gone.
      const destinations = fs.readFileSync(S2S_DESTINATIONS, 'utf8').trim().split('\n');
      assert.deepEqual(new Set(destinations), new Set([destination]));
    });
});
