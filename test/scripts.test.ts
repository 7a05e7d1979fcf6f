/** The flags and variables for scripts, for several accounts, and for Zoom for Government. */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fakeClipboard } from './clipboard.ts';
import { ACCOUNT, TOKEN, TOKEN_RESPONSE, respondWith } from './mock-zoom.ts';
import { CHECK_NETWORK, type Run, expectRun, folder, notSet } from './script.ts';
import { preloading, root, run, withCredentials } from './script.ts';
import { ownMockZoom, sharedMockZoom } from './servers.ts';
import { skipWithoutFakeClipboard } from './skip.ts';
import { Terminal, inTerminal, redirecting, session } from './terminal.ts';

const { ZOOM_CLIENT_SECRET, ...IDS } = ACCOUNT;
describe('the script', { concurrency: 4 }, () => {
  const zoom = sharedMockZoom();
  const clipboard = skipWithoutFakeClipboard ? {} : fakeClipboard();

  it('prints only the token with --token', async () => {
    const result = await run({ args: ['--token'], env: withCredentials(zoom, clipboard) });
    expectRun(result, { code: 0, stdout: `${TOKEN}\n`, stderr: '' });
  });

  it('prompts in the terminal with --token if stdout is redirected, but does not copy', inTerminal, async () => {
    const cwd = folder();
    const command = redirecting(1, 'out', '--token');
    const { raw } = await session({ command, cwd, env: { ZOOM_HOST: zoom.url } });
    assert.equal(readFileSync(join(cwd, 'out'), 'utf8'), `${TOKEN}\n`);
    assert.ok(!raw.includes('\x1b]52'));
  });

  it("prints Zoom's response and expires_at with --json, and escapes control characters", async () => {
    const response = { ...TOKEN_RESPONSE, odd: ['\x9b1m', null, 1.5, { a: '\x7f\u{1f600}' }] };
    const server = await ownMockZoom(respondWith(200, response));
    const before = Date.now();
    const { code, stdout, stderr } = await run({ args: ['--json'], env: withCredentials(server, clipboard) });
    const { expires_at } = JSON.parse(stdout);
    const json = JSON.stringify({ expires_at, ...response }, null, 2);
    const escaped = `${json.replace('\x9b', '\\u009b').replace('\x7f', '\\u007f')}\n`;
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: escaped, stderr: '' });
    const seconds = (Date.parse(expires_at) - before) / 1000;
    assert.ok(seconds >= response.expires_in && seconds < response.expires_in + 20, expires_at);
  });

  for (const fields of [{}, { expires_in: 0 }, { expires_in: 1, expires_at: 'noon' }])
    it(`adds no expires_at with --json if Zoom sends ${JSON.stringify(fields)}`, async () => {
      const response = { access_token: TOKEN, ...fields };
      const server = await ownMockZoom(respondWith(200, response));
      const { stdout } = await run({ args: ['--json'], env: withCredentials(server) });
      assert.deepEqual(JSON.parse(stdout), response);
    });

  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const names = [...Object.keys(ACCOUNT), 'ZOOM_HOST', 'DOTENV_PATH', 'HTTPS_PROXY', 'NO_PROXY', '130', '143'];
  for (const { flags, terms } of [
    { flags: ['--version', '-v'], terms: [`${version}\n`] },
    { flags: ['--help', '-h'], terms: ['Usage: s2s [--token | --json]', '-h, --help', '-v, --version', ...names] },
  ])
    for (const flag of flags)
      it(`prints what ${flag} asks for, in at most 24 lines of 79 columns`, async () => {
        const { code, stdout, stderr } = await run({ args: [flag] });
        const missing = terms.filter((term) => !stdout.includes(term));
        assert.deepEqual({ code, stderr, missing }, { code: 0, stderr: '', missing: [] });
        assert.match(stdout, /^(.{0,79}\n){1,24}$/);
      });

  for (const { args, message } of [
    { args: ['--client-secret=SeCrEt'], message: "Unknown option '--client-secret'" },
    { args: ['--token=SeCrEt'], message: "Option '--token' does not take an argument" },
    { args: ['SeCrEt'], message: 'Unexpected argument' },
    { args: ['--json', '--token'], message: '--token and --json cannot be used together' },
  ])
    it(`rejects ${args.join(' ')}, and sends nothing`, async () => {
      const server = await ownMockZoom();
      const result = await run({ args, env: withCredentials(server) });
      expectRun(result, { code: 2, stdout: '', stderr: `${message}. For help, use --help.\n` });
      assert.equal(server.requests.length, 0);
    });

  it('connects to Zoom for Government, and links to its marketplace, if .env says so', async () => {
    const cwd = folder({ '.env': 'ZOOM_HOST=https://zoomgov.com\n' });
    const stderr = `Cannot reach zoomgov.com (ENOTFOUND).\n${CHECK_NETWORK}`;
    expectRun(await run({ cwd, env: ACCOUNT }), { code: 1, stdout: '', stderr });
    if (!inTerminal.skip) await new Terminal({ cwd }).see('See https://marketplace.zoomgov.com/ under');
  });

  it('reads, updates, and names the file that DOTENV_PATH names instead of .env', inTerminal, async () => {
    const DOTENV_PATH = join('my settings', 'main'); // With a backslash on Windows.
    const cwd = folder({ '.env': 'ZOOM_CLIENT_SECRET=other\n' });
    mkdirSync(join(cwd, 'my settings'));
    writeFileSync(join(cwd, DOTENV_PATH), `ZOOM_HOST=zoom.example\n`, { mode: 0o600 });
    const env = { ...IDS, DOTENV_PATH, ZOOM_HOST: zoom.url };
    const { stderr } = await run({ cwd, env });
    assert.ok(stderr.startsWith(`${notSet(join(cwd, DOTENV_PATH), 'ZOOM_CLIENT_SECRET')}\n`));
    const { screen, dotenv } = await session({ cwd, env });
    assert.ok(screen.includes(`\nSaved ZOOM_CLIENT_SECRET in ${DOTENV_PATH}.\n`), screen);
    const saved = readFileSync(join(cwd, DOTENV_PATH), 'utf8');
    assert.equal(saved, `ZOOM_HOST=zoom.example\nZOOM_CLIENT_SECRET=${ZOOM_CLIENT_SECRET}\n`);
    assert.equal(dotenv, 'ZOOM_CLIENT_SECRET=other\n');
  });

  it('loads prompts, node:readline, and clipboardy only if it uses them', async () => {
    // clipboardy is an ES module, which the cache does not list, but cross-spawn, on which it depends, is not.
    const report = preloading(`process.on('exit', () => {
      const names = [...Object.keys(require.cache), ...process.moduleLoadList].join();
      const loaded = ['prompts', 'cross-spawn', 'NativeModule readline'].filter((name) => names.includes(name));
      require('node:fs').writeSync(2, '[' + loaded + ']');
    })`);
    const env = withCredentials(zoom, { ...clipboard, ...report });
    const cases: (Run & { modules?: string })[] = [
      { env, modules: skipWithoutFakeClipboard ? '[]' : '[cross-spawn]' },
      ...['--help', '--token', '--json', '--tokne'].map((flag) => ({ args: [flag], env })),
      { env: { ...clipboard, ...report } },
      { env: { ...env, ZOOM_HOST: 'zoom.example' } },
      { env: withCredentials(zoom, report) },
    ];
    for (const { modules = '[]', ...options } of cases)
      assert.ok((await run(options)).stderr.endsWith(modules), `expected ${modules}: ${JSON.stringify(options)}`);
    if (inTerminal.skip) return;
    const { screen } = await session({ env: { ...report, ZOOM_HOST: zoom.url } });
    assert.match(screen, /\[prompts,NativeModule readline\]\n*$/);
  });
});
