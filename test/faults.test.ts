/** What goes wrong for good: rejections by Zoom, broken networks, unexpected responses, signals. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  S2S,
  S2S_IN_PROCESS,
  Terminal,
  dotenv,
  expectFailure,
  expectPlainText,
  expectRun,
  files,
  folder,
  inTerminal,
  ownMockZoom,
  ownTrustedMockZoom,
  run,
  session,
  skipUnless,
  start,
  startTcpServer,
  withCredentials,
  withoutAccountId,
} from './helpers.ts';
import {
  ACCOUNT,
  BASIC,
  DOTENV,
  TOKEN,
  TOKEN_RESPONSE,
  createCertificate,
  respondLikeZoom,
  respondWith,
} from './mock-zoom.ts';

const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;

const MARKETPLACE = 'https://marketplace.zoom.us/';
const COMPARE = `with App Credentials at ${MARKETPLACE}.\n`;
const WRONG_ACCOUNT = `ZOOM_ACCOUNT_ID is most likely wrong:\ncompare it ${COMPARE}`;
const WRONG_CLIENT = `ZOOM_CLIENT_ID or ZOOM_CLIENT_SECRET is wrong, or they are of different apps:\ncompare both ${COMPARE}`;
const WRONG_APP = `The app of ZOOM_CLIENT_ID is no Server-to-Server OAuth app or is not activated:\ncheck its type and its Activation page at ${MARKETPLACE}.\n`;
const APP_DISABLED = `The app of ZOOM_CLIENT_ID is disabled:\nactivate it on its Activation page at ${MARKETPLACE}.\n`;
const DISABLED_BY_ADMIN = 'An administrator disabled the app:\none has to allow it again.\n';
const NO_OWNER = `The owner of the app is gone:\ngive it another at ${MARKETPLACE}.\n`;
const UNKNOWN = `Check ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET:\ncompare them ${COMPARE}`;

describe('a rejection by Zoom', { concurrency: 2 }, () => {
  /** `shown` is the field of the body that the message quotes. */
  const rejections: { body: Record<string, unknown>; shown?: string; advice: string; status?: number }[] = [
    { body: { reason: 'Invalid client_id or client_secret' }, shown: 'reason', advice: WRONG_CLIENT, status: 401 },
    { body: { errorMessage: 'Invalid client_id: abc', errorCode: 4702 }, shown: 'errorMessage', advice: WRONG_CLIENT },
    { body: { message: 'Invalid client.', code: 4702 }, shown: 'message', advice: WRONG_CLIENT },
    { body: { errorMessage: 'Invalid client secret.' }, shown: 'errorMessage', advice: WRONG_CLIENT },
    { body: { error_description: 'No match', errorCode: 4704 }, shown: 'error_description', advice: WRONG_CLIENT },
    { body: { message: 'Client ID does not match authenticated client.' }, shown: 'message', advice: WRONG_CLIENT },
    { body: { reason: 'Client ID or client secret is missing.' }, shown: 'reason', advice: WRONG_CLIENT },
    { body: { reason: 'Gone', errorCode: '4706' }, shown: 'reason', advice: WRONG_CLIENT },
    { body: { reason: '', message: 1, error: 'invalid_client' }, shown: 'error', advice: WRONG_CLIENT },
    { body: { reason: 'Bad Request', error: 'invalid_request' }, shown: 'reason', advice: WRONG_ACCOUNT },
    { body: { error: 'invalid_request' }, shown: 'error', advice: WRONG_ACCOUNT },
    { body: { reason: 'unsupported grant type' }, shown: 'reason', advice: WRONG_APP },
    { body: { errorMessage: 'No such grant', errorCode: 4705 }, shown: 'errorMessage', advice: WRONG_APP },
    { body: { reason: 'The app has been disabled' }, shown: 'reason', advice: APP_DISABLED, status: 403 },
    { body: { message: 'The token is disabled by admin.', code: 4738 }, shown: 'message', advice: DISABLED_BY_ADMIN },
    { body: { message: 'The owner of the token does not exist.' }, shown: 'message', advice: NO_OWNER },
    { body: { reason: 'Missing grant', error: 'invalid_request' }, shown: 'reason', advice: UNKNOWN },
    { body: { message: 'Invalid access token.', code: 124 }, shown: 'message', advice: UNKNOWN },
    { body: { reason: 'Moon phase' }, shown: 'reason', advice: UNKNOWN, status: 422 },
    { body: {}, advice: UNKNOWN },
    { body: { error: { toString: 1 } }, advice: UNKNOWN },
  ];
  for (const { body, shown, advice, status = 400 } of rejections)
    it(`explains a rejection and does not retry: ${status}, ${JSON.stringify(body)}`, async () => {
      const server = await ownMockZoom(respondWith(status, body));
      const result = await run({ cwd: folder({ '.env': DOTENV }), env: { ZOOM_HOST: server.url } });
      const problem = shown ? `"${body[shown]}" (${status})` : `status ${status}`;
      expectRun(result, { code: 1, stdout: '', stderr: `Zoom refused: ${problem}.\n${advice}` });
      expectPlainText(result);
      assert.equal(server.requests.length, 1);
    });

  it('shows the tracking ID and prompts only for what the environment does not set', inTerminal, async () => {
    const cwd = folder({ '.env': 'ZOOM_CLIENT_SECRET=wrong\n' });
    const server = await ownMockZoom();
    const terminal = new Terminal({ cwd, env: withCredentials(server, { ZOOM_CLIENT_SECRET: undefined }) });
    await terminal.see(
      'Zoom refused: "Invalid client_id or client_secret" (400).\n' +
        "Tracking ID, for Zoom's support: v=2.0;clid=us02;rid=WEB_0123456789abcdef\n" +
        WRONG_CLIENT +
        'The environment, which wins over .env, may have a wrong value:\nchange or unset ZOOM_CLIENT_ID.\n' +
        'Enter keeps a value.\n',
    );
    await terminal.answer('ZOOM_CLIENT_SECRET', `${ZOOM_CLIENT_SECRET}\r`);
    assert.equal(await terminal.end(), 0);
    assert.equal(dotenv(cwd), `ZOOM_CLIENT_SECRET=${ZOOM_CLIENT_SECRET}\n`);
  });

  it('does not prompt if the environment sets all that may be wrong', inTerminal, async () => {
    const env = withCredentials(await ownMockZoom(), { ZOOM_CLIENT_SECRET: 'wrong' });
    const { screen } = await session({ env, code: 1 });
    assert.ok(screen.endsWith('\nchange or unset ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET.\n'), screen);
  });

  it('does not prompt if no other credentials would help', inTerminal, async () => {
    const server = await ownMockZoom(respondWith(400, { message: 'The token is disabled by admin.' }));
    const cwd = folder({ '.env': DOTENV });
    const { screen } = await session({ cwd, env: { ZOOM_HOST: server.url }, answers: {}, code: 1 });
    assert.ok(screen.endsWith(DISABLED_BY_ADMIN), screen);
  });

  it('prompts until Zoom accepts the credentials, and saves them in place', inTerminal, async () => {
    const text = (id: string, secret: string) =>
      `# mine\nexport ZOOM_CLIENT_ID = ${id} # of the app\r\nPORT=1\nZOOM_CLIENT_SECRET: ${secret}# old\nZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}`;
    const cwd = folder({ '.env': text('"wrong"', "'Quoted #1'") });
    const server = await ownMockZoom();
    const terminal = new Terminal({ command: S2S, cwd, env: { ZOOM_HOST: server.url } });
    await terminal.see('Enter keeps a value.');
    await terminal.answer('ZOOM_CLIENT_ID', '\r');
    await terminal.answer('ZOOM_CLIENT_SECRET', 'StillWrong\r');
    await terminal.see('Saved ZOOM_CLIENT_SECRET in .env.');
    await terminal.see('Zoom refused');
    assert.equal(dotenv(cwd), text('"wrong"', 'StillWrong'));
    await terminal.answer('ZOOM_CLIENT_ID', `${ZOOM_CLIENT_ID}\r`);
    await terminal.answer('ZOOM_CLIENT_SECRET', `${ZOOM_CLIENT_SECRET}\r`);
    assert.equal(await terminal.end(), 0);
    assert.ok(terminal.screen.replaceAll('\n', '').includes(TOKEN));
    for (const secret of ['Quoted #1', 'StillWrong']) assert.ok(!terminal.raw.includes(secret));
    assert.equal(dotenv(cwd), text(ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET));
    assert.equal(server.requests.length, 3);
    assert.ok(terminal.raw.includes('wrong'), 'the current client ID is offered');
  });

  it('prompts after a rejection on a first run, where Ctrl-C cancels', inTerminal, async () => {
    const cwd = folder();
    const terminal = new Terminal({ cwd, env: withoutAccountId(await ownMockZoom()) });
    await terminal.answer('ZOOM_ACCOUNT_ID', 'wrong\r');
    await terminal.see('ZOOM_ACCOUNT_ID is most likely wrong');
    await terminal.answer('ZOOM_ACCOUNT_ID', 'x\x03');
    assert.equal(await terminal.end(), 130);
    assert.match(terminal.screen, /\nCancelled\n$/);
    assert.equal(dotenv(cwd), 'ZOOM_ACCOUNT_ID=wrong\n');
  });
});

const CHECK_NETWORK = 'Check the network, and a firewall or VPN in between.\n';
const PAGE = '<!DOCTYPE html><title>Sign in to the network</title>';
const INTERCEPTED =
  'A captive portal, a proxy, or a firewall may have answered in its place:\n' +
  'open http://HOST/ in a browser on this network, or try another network.\n';

describe('a network error', { concurrency: 4 }, () => {
  it('reports a host that cannot be resolved', async () => {
    const result = await run({ env: { ...ACCOUNT, ZOOM_HOST: 'no-such-host.zoom.us' } });
    const stderr = /^The name of no-such-host\.zoom\.us is not found \((ENOTFOUND|EAI_AGAIN)\)\.\nCheck [^\n]+\.\n$/;
    expectRun(result, { code: 1, stdout: '', stderr });
    expectPlainText(result);
  });

  it('reports a connection refused', async () => {
    const server = await startTcpServer();
    server.server.close();
    await expectFailure(server, `HOST refused the connection.\n${CHECK_NETWORK}`);
  });

  it('reports a server that does not use HTTP or TLS', async () => {
    const server = await startTcpServer((socket) => {
      socket.once('data', () => socket.end('220 mail.example ESMTP\r\n'));
    });
    await expectFailure(server, `The connection to HOST failed (HPE_INVALID_CONSTANT).\n${CHECK_NETWORK}`);
    const overTls = await run({ env: withCredentials(server, { ZOOM_HOST: `https://${server.host}` }) });
    expectRun(overTls, { code: 1, stderr: /^The connection to \S+ failed \([A-Z_]+\)\.\nCheck [^\n]+\n$/ });
  });

  it('reports an untrusted certificate and sends nothing', async () => {
    const server = await ownMockZoom(respondLikeZoom, await createCertificate('localhost'));
    const received: string[] = [];
    server.server.on('secureConnection', (socket: Socket) => socket.on('data', (data) => received.push(`${data}`)));
    await expectFailure(
      server,
      'The certificate of HOST is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT), so nothing was sent.\n' +
        'If your company inspects TLS, NODE_EXTRA_CA_CERTS has to name a readable file with its CA.\n',
    );
    assert.deepEqual(received, []);
  });

  it('trusts a certificate in NODE_EXTRA_CA_CERTS', async () => {
    const { port, NODE_EXTRA_CA_CERTS } = await ownTrustedMockZoom('localhost');
    const result = await run({ env: withCredentials({ url: `https://localhost:${port}` }, { NODE_EXTRA_CA_CERTS }) });
    expectRun(result, { code: 0 });
  });
});

describe('an unexpected response', { concurrency: 4 }, () => {
  for (const status of [301, 302, 303, 307, 308])
    it(`reports a redirect and does not follow it: ${status}`, async () => {
      const target = await ownMockZoom();
      const Location = `${target.url}/oauth/token`;
      const server = await ownMockZoom((response) => response.writeHead(status, { Location }).end());
      const problem = `HOST answered with a redirect to ${Location} (${status}), which is not followed.\n`;
      await expectFailure(server, problem + INTERCEPTED);
      assert.deepEqual([server.requests.length, target.requests.length], [1, 0]);
    });

  for (const { body, statuses, problem } of [
    { body: PAGE, statuses: [200, 300, 403, 407, 408, 429], problem: 'a web page' },
    { body: 'Access denied', statuses: [200, 300, 403, 407], problem: 'something that is not JSON' },
    { body: '["access_token"]', statuses: [200, 300, 403, 407], problem: 'something that is not JSON' },
    { body: '', statuses: [200, 300, 304, 403, 407], problem: 'nothing' },
  ])
    for (const status of statuses)
      it(`reports a response that is not a JSON object, and does not retry: ${status}, "${body}"`, async () => {
        const server = await ownMockZoom((response) => response.writeHead(status).end(body));
        await expectFailure(server, `HOST answered with ${problem} (status ${status}).\n${INTERCEPTED}`);
        assert.equal(server.requests.length, 1);
      });

  it('reports a server that switches protocols', async () => {
    const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n';
    const server = await startTcpServer((socket) => socket.once('data', () => socket.write(switching)));
    await expectFailure(server, `The connection to HOST failed (closed without an answer).\n${CHECK_NETWORK}`);
  });

  for (const access_token of [undefined, null, '', 42, ['a'], 'a\nb', 'caf\u00e9', '\u001b]52;c;AAAA\u0007'])
    it(`reports an unusable access_token: ${JSON.stringify(access_token)}`, async () => {
      const headers = { 'x-zm-trackingid': 'id-1' };
      const server = await ownMockZoom(respondWith(200, { ...TOKEN_RESPONSE, access_token }, headers));
      await expectFailure(
        server,
        'HOST answered without a usable access_token (200).\n' +
          "Tracking ID, for Zoom's support: id-1\nRun this again in a few minutes.\n",
      );
      assert.equal(server.requests.length, 1);
    });

  it('rejects a response over 1 MiB', async () => {
    const server = await ownMockZoom(respondWith(200, { a: 'x'.repeat(1024 * 1024) }));
    await expectFailure(server, `HOST sent more than 1 MiB, which is no answer of Zoom's.\n${INTERCEPTED}`);
    assert.equal(server.requests.length, 1);
  });

  it('reports a server error that is not transient', async () => {
    const server = await ownMockZoom(respondWith(501, { reason: 'Never' }));
    await expectFailure(server, 'HOST answered with "Never" (501).\nRun this again in a few minutes.\n');
  });

  it('removes escape sequences and the secret from an error message', async () => {
    const disguised = ZOOM_CLIENT_SECRET.replace('Client', 'Cli\u200bent');
    const reason = `\u001b[2J\u001b]0;title\u0007\u009b31m${disguised} Basic ${BASIC}\r\n\u202eend${'.'.repeat(999)}`;
    const headers = { 'x-zm-trackingid': '\u009b31mid' };
    const server = await ownMockZoom(respondWith(400, { reason, error: reason }, headers));
    const result = await run({ env: withCredentials(server) });
    const stderr = /^Zoom refused: "\*\*\* Basic \*\*\* end\.+" \(400\)\.\nTracking ID, for Zoom's support: \S*id\n/;
    expectRun(result, { code: 1, stdout: '', stderr });
    expectPlainText(result);
    assert.ok(result.stderr.length < 700);
  });

  it('removes escape sequences from scopes', async () => {
    const scope = 'a:read\u001b[31m b\u0007:read\u009b2J';
    const server = await ownMockZoom(respondWith(200, { ...TOKEN_RESPONSE, scope }));
    const result = await run({ env: withCredentials(server) });
    expectRun(result, { code: 0, stdout: /\n-------\na:read\nb:read\n$/ });
    expectPlainText(result);
  });

  // On Node 20, stripVTControlCharacters takes minutes on these.
  for (const { name, text } of [
    { name: 'repeated', text: '\x1b;#;#'.repeat(90_000) },
    { name: 'endless', text: `\x1b${';#'.repeat(400_000)}` },
  ])
    it(`removes ${name} escape sequences without delay`, async () => {
      const rejecting = await ownMockZoom(respondWith(400, { reason: text }));
      const rejection = await run({ env: withCredentials(rejecting) });
      expectRun(rejection, { code: 1, stderr: /^Zoom refused: / });
      expectPlainText(rejection);
      const accepting = await ownMockZoom(respondWith(200, { ...TOKEN_RESPONSE, scope: text }));
      expectRun(await run({ env: withCredentials(accepting) }), { code: 0 });
    });
});

const noSignals = process.platform === 'win32' && 'Windows has no signals';

describe('a signal', { concurrency: 4, skip: noSignals }, () => {
  for (const { signal, status } of [
    { signal: 'SIGINT', status: 130 },
    { signal: 'SIGTERM', status: 143 },
  ] as const) {
    it(`ends a request on ${signal}`, async () => {
      const server = await startTcpServer();
      const { child, result } = start({ command: S2S, env: withCredentials(server) });
      await once(server.server, 'connection');
      child.kill(signal);
      const { code, signal: endedBy, ...output } = await result;
      assert.ok(code === status || endedBy === signal, `${code} ${endedBy}`);
      expectRun({ code, ...output }, { stdout: '', stderr: '' });
    });

    it(`restores the terminal on ${signal} at the first prompt`, inTerminal, async () => {
      const cwd = folder();
      const terminal = new Terminal({ command: S2S, cwd });
      await terminal.see('? ZOOM_ACCOUNT_ID ›');
      process.kill(terminal.pid, signal);
      assert.equal(await terminal.end(), status);
      assert.deepEqual(files(cwd), []);
    });

    it(`restores the terminal on ${signal} at a prompt after many saves`, inTerminal, async () => {
      const terminal = new Terminal({ env: withoutAccountId(await ownMockZoom()) });
      for (let nth = 1; nth <= 11; nth++) {
        await terminal.answer('ZOOM_ACCOUNT_ID', `wrong${nth}\r`);
        await terminal.see('Enter keeps a value.');
      }
      await terminal.see('? ZOOM_ACCOUNT_ID › wrong11');
      process.kill(terminal.pid, signal);
      assert.equal(await terminal.end(), status);
      assert.ok(!terminal.screen.includes('Warning'), 'signal listeners do not pile up');
    });
  }

  for (const { signal, status } of [
    { signal: 'SIGINT', status: 130 },
    { signal: 'SIGHUP', status: 129 },
  ]) {
    // Sends the signal while fsync takes three seconds.
    const slowDisk = `strace --follow-forks --seccomp-bpf --trace=fsync --inject=fsync:signal=${signal.slice(3)}:delay_exit=3000000`;
    const skip = inTerminal.skip || skipUnless(`${slowDisk} true`);
    it(`finishes saving before it ends on ${signal}`, { skip }, async () => {
      const listFiles = `require('node:fs').writeFileSync('seen', String(require('node:fs').readdirSync('.')))`;
      const spy = join(folder({ 'spy.cjs': `process.once('${signal}', () => ${listFiles})` }), 'spy.cjs');
      const command = [
        ...[...slowDisk.split(' '), '--output=/dev/null'],
        ...S2S_IN_PROCESS.toSpliced(1, 0, `--require=${spy}`),
      ];
      const cwd = folder();
      const { dotenv } = await session({ env: withoutAccountId(await startTcpServer()), cwd, command, code: status });
      assert.deepEqual(files(cwd), ['.env', 'seen']);
      assert.equal(dotenv, `ZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\n`);
      const seen = readFileSync(join(cwd, 'seen'), 'utf8');
      assert.match(seen, /^\.env\.[^,]+$/, 'the signal arrives before .env is replaced');
    });
  }

  it('leaves .env intact and no other file behind, whenever SIGTERM arrives', inTerminal, async () => {
    const server = await startTcpServer();
    const before = `KEEP=${'x'.repeat(100_000)}\nZOOM_ACCOUNT_ID=`;
    for (let delay = 0; delay < 60; delay += 6) {
      const cwd = folder({ '.env': `${before}\n` });
      const terminal = new Terminal({ cwd, env: withoutAccountId(server) });
      await terminal.answer('ZOOM_ACCOUNT_ID', `${ZOOM_ACCOUNT_ID}\r`);
      await sleep(delay);
      process.kill(terminal.pid, 'SIGTERM');
      assert.equal(await terminal.end(), 143);
      assert.deepEqual(files(cwd), ['.env']);
      assert.ok([`${before}\n`, `${before}${ZOOM_ACCOUNT_ID}\n`].includes(dotenv(cwd)!));
    }
  });
});
