/** Flags and variables for use in scripts and with several accounts. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'dotenv';
import {
  type Env,
  S2S_WITHOUT_TSX,
  Terminal,
  expectRun,
  fakeClipboard,
  files,
  folder,
  inBash,
  inTerminal,
  inUnixTerminal,
  noFakeClipboard,
  noFolderLinks,
  notLinux,
  ownMockZoom,
  preloading,
  redirecting,
  root,
  run,
  session,
  sharedMockZoom,
  skipUnless,
  withCredentials,
  withoutAccountId,
} from './helpers.ts';
import { ACCOUNT, TOKEN, TOKEN_RESPONSE, respondWith } from './mock-zoom.ts';

const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;

describe('the script', { concurrency: 4 }, () => {
  const zoom = sharedMockZoom();

  it('prints only the token with --token', async () => {
    const result = await run({ args: ['--token'], env: withCredentials(zoom) });
    expectRun(result, { code: 0, stdout: `${TOKEN}\n`, stderr: '' });
  });

  it('does not run a clipboard command with --token', { skip: noFakeClipboard }, async () => {
    const LOG = join(folder(), 'log');
    const env = withCredentials(zoom, { ...fakeClipboard('echo called > "$LOG"'), LOG });
    expectRun(await run({ args: ['--token'], env }), { code: 0, stdout: `${TOKEN}\n`, stderr: '' });
    assert.ok(!existsSync(LOG));
  });

  it('sends no OSC 52 with --token', inTerminal, async () => {
    const { raw, screen } = await session({ args: ['--token'], env: withCredentials(zoom) });
    assert.ok(!raw.includes('\x1b]52'));
    assert.equal(screen, `${TOKEN}\n`);
  });

  it('prompts in the terminal with --token even if stdout is redirected', inTerminal, async () => {
    const cwd = folder();
    await session({ command: redirecting(1, 'out', '--token'), cwd, env: { ZOOM_HOST: zoom.url } });
    assert.equal(readFileSync(join(cwd, 'out'), 'utf8'), `${TOKEN}\n`);
  });

  it("prints Zoom's response with --json, unchanged except for the expiry time", async () => {
    const response = { ...TOKEN_RESPONSE, odd: ['\u009b1m', null, 1.5, { a: '\u007f\ud83d\ude00' }] };
    const server = await ownMockZoom(respondWith(200, response));
    const before = Date.now();
    const result = await run({ args: ['--json'], env: withCredentials(server) });
    // Expect all control characters to be escaped, because a terminal might act on them.
    expectRun(result, { code: 0, stdout: /^[\n\P{Cc}]+$/u, stderr: '' });
    const { expires_at, ...rest } = JSON.parse(result.stdout);
    assert.deepEqual(rest, response);
    assert.match(expires_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const seconds = (Date.parse(expires_at) - before) / 1000;
    assert.ok(seconds >= response.expires_in && seconds < response.expires_in + 20, `${seconds}`);
  });

  for (const { name, response } of [
    { name: 'omits expires_at if Zoom sends no lifetime', response: { access_token: TOKEN } },
    {
      name: 'keeps an expires_at that Zoom sends',
      response: { access_token: TOKEN, expires_in: 1, expires_at: 'noon' },
    },
  ])
    it(`${name}, with --json`, async () => {
      const server = await ownMockZoom(respondWith(200, response));
      const { stdout } = await run({ args: ['--json'], env: withCredentials(server) });
      assert.deepEqual(JSON.parse(stdout), response);
    });

  for (const flag of ['--version', '-v'])
    it(`prints its version with ${flag}`, async () => {
      const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
      expectRun(await run({ args: [flag] }), { code: 0, stdout: `${version}\n`, stderr: '' });
    });

  for (const flag of ['--help', '-h'])
    it(`prints help with ${flag}, in lines of up to 80 characters`, async () => {
      const result = await run({ args: [flag] });
      expectRun(result, { code: 0, stdout: /^(.{0,80}\n)+$/, stderr: '' });
      for (const term of [
        ...Object.keys(ACCOUNT),
        'ZOOM_HOST',
        'api.zoomgov.com',
        'DOTENV_PATH',
        'HTTPS_PROXY',
        'NODE_EXTRA_CA_CERTS',
        '--token',
        '--json',
        '130',
      ])
        assert.ok(result.stdout.includes(term), term);
    });

  it('fails if help cannot be written', { skip: skipUnless('bash --version') }, async () => {
    const result = await run({ command: inBash('--help 1< "$BASH"') });
    expectRun(result, { code: 1, stderr: 'Cannot write to stdout: bad file descriptor.\n' });
  });

  for (const { args, message } of [
    { args: ['--tokne'], message: "Unknown option '--tokne'. For help, use --help.\n" },
    { args: ['--client-secret=SeCrEt'], message: "Unknown option '--client-secret'. For help, use --help.\n" },
    {
      args: ['--token=SeCrEt'],
      message: "Option '--token' does not take an argument. For help, use --help.\n",
    },
    { args: ['SeCrEt'], message: 'Unexpected argument. For help, use --help.\n' },
    { args: ['--json', '--token'], message: '--token and --json cannot be used together.\nUse one.\n' },
  ])
    it(`rejects ${args.join(' ')} without a request`, async () => {
      const server = await ownMockZoom();
      const result = await run({ args, env: withCredentials(server) });
      expectRun(result, { code: 2, stdout: '', stderr: message });
      assert.equal(server.requests.length, 0);
    });

  describe('with a file that others can read', inUnixTerminal, () => {
    for (const [name, quoted] of [
      ['.env.staging', '.env.staging'],
      ['my settings.env', "'my settings.env'"],
      ["it's", String.raw`'it'\''s'`],
      ['$HOME', "'$HOME'"],
      ['-x', "'./-x'"],
    ] as const)
      it(`says how to protect ${name}, quoted for the shell`, async () => {
        const cwd = folder({ [name]: '' });
        chmodSync(join(cwd, name), 0o644);
        const { screen } = await session({ cwd, env: { ...withoutAccountId(zoom), DOTENV_PATH: name } });
        assert.ok(screen.includes(`\nOther users can read it. To prevent that, run: chmod 600 ${quoted}\n`), screen);
        execFileSync('sh', ['-c', `chmod 600 ${quoted}`], { cwd });
        assert.equal(statSync(join(cwd, name)).mode & 0o777, 0o600);
      });
  });

  it('says whether a wrong ZOOM_HOST is in the dotenv file', async () => {
    const cwd = folder({ '.env': 'ZOOM_HOST=example.com\n' });
    const remedy = 'Set it to zoom.us or zoomgov.com, or unset it.\n';
    const stderr = `ZOOM_HOST in .env is "example.com", which is not a Zoom host.\n${remedy}`;
    expectRun(await run({ cwd, env: ACCOUNT }), { code: 2, stdout: '', stderr });
    const ZOOM_HOST = 'example.org';
    const fromEnvironment = `ZOOM_HOST is "example.org", which is not a Zoom host.\n${remedy}`;
    expectRun(await run({ cwd, env: { ...ACCOUNT, ZOOM_HOST } }), { code: 2, stderr: fromEnvironment });
  });

  it('loads prompts, node:readline, and clipboardy only when needed', { skip: noFolderLinks }, async () => {
    const cwd = folder({ log: '' });
    const modules = join(cwd, 'node_modules');
    const [script = ''] = S2S_WITHOUT_TSX.slice(-1);
    const append = (name: string) =>
      `require('node:fs').appendFileSync(${JSON.stringify(join(cwd, 'log'))}, '${name} ');`;
    const logReadline = preloading(`process.on('exit', () => {
      if (process.moduleLoadList.includes('NativeModule readline')) ${append('readline')}
    })`);
    for (const path of [script, join(root, 'package.json')]) copyFileSync(path, join(cwd, basename(path)));
    mkdirSync(modules);
    symlinkSync(join(root, 'node_modules/dotenv'), join(modules, 'dotenv'), 'junction');
    for (const name of ['clipboardy', 'prompts']) {
      mkdirSync(join(modules, name));
      writeFileSync(join(modules, name, 'index.js'), `${append(name)} module.exports = () => process.exit();`);
      writeFileSync(join(modules, name, 'package.json'), '{}');
    }
    const command = S2S_WITHOUT_TSX.with(-1, join(cwd, basename(script)));
    if (!inTerminal.skip) {
      await session({ command, env: logReadline, answers: {} });
      assert.equal(readFileSync(join(cwd, 'log'), 'utf8'), 'prompts readline ');
    }
    const expectLoaded = async (expected: string, args: string[], env: Env) => {
      writeFileSync(join(cwd, 'log'), '');
      await run({ args, env: { ...env, ...logReadline }, command });
      assert.equal(readFileSync(join(cwd, 'log'), 'utf8'), expected, `${args} ${JSON.stringify(env)}`);
    };
    const clipboard = noFakeClipboard ? {} : fakeClipboard('cat > /dev/null');
    const withClipboard = withCredentials(zoom, clipboard);
    if (!noFakeClipboard) await expectLoaded('clipboardy ', [], withClipboard);
    await expectLoaded('', ['--help'], clipboard);
    await expectLoaded('', ['--token'], withClipboard);
    await expectLoaded('', ['--json'], withClipboard);
    await expectLoaded('', ['--token'], { ...withClipboard, ZOOM_CLIENT_SECRET: 'wrong' });
    await expectLoaded('', ['--tokne'], withClipboard);
    await expectLoaded('', [], clipboard);
    await expectLoaded('', [], { ...withClipboard, ZOOM_HOST: 'https://example.com' });
    await expectLoaded('', [], withCredentials(zoom));
    if (!notLinux) await expectLoaded('', [], withCredentials(zoom, { SSH_CONNECTION: undefined }));
  });

  it('reads, writes, and mentions the file that DOTENV_PATH specifies instead of .env', inTerminal, async () => {
    const cwd = folder({ '.env': 'ZOOM_CLIENT_ID=other\n' });
    const DOTENV_PATH = join('my settings', '.env'); // With a backslash on Windows.
    mkdirSync(join(cwd, 'my settings'));
    writeFileSync(join(cwd, DOTENV_PATH), `ZOOM_HOST=${zoom.url}\nZOOM_CLIENT_ID=${ZOOM_CLIENT_ID}\n`);
    const env = { DOTENV_PATH, ZOOM_ACCOUNT_ID };
    const stderr =
      /^Missing credentials: ZOOM_CLIENT_SECRET\.\nLooked in the environment and in .*my settings.\.env\.\n/;
    expectRun(await run({ cwd, env }), { code: 2, stderr });
    const { screen, dotenv } = await session({ cwd, env, answers: { ZOOM_CLIENT_SECRET } });
    assert.ok(screen.includes(`\nSaved ZOOM_CLIENT_SECRET in ${DOTENV_PATH}.\n`), screen);
    assert.equal(parse(readFileSync(join(cwd, DOTENV_PATH)))['ZOOM_CLIENT_SECRET'], ZOOM_CLIENT_SECRET);
    assert.equal(dotenv, 'ZOOM_CLIENT_ID=other\n');
    assert.deepEqual(files(join(cwd, 'my settings')), ['.env']);
  });

  it('connects to Zoom for Government if ZOOM_HOST says so', async () => {
    const result = await run({ env: { ...ACCOUNT, ZOOM_HOST: 'https://zoomgov.com' } });
    expectRun(result, { code: 1, stderr: /^Cannot resolve zoomgov\.com / });
  });

  it('links to the marketplace of Zoom for Government', inTerminal, async () => {
    const terminal = new Terminal({ env: { ZOOM_HOST: 'zoomgov.com' } });
    await terminal.see('at https://marketplace.zoomgov.com/ under\n');
  });
});
