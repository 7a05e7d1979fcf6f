/** Errors that are not retried: rejections by Zoom, network errors, bad certificates, and unexpected responses. */

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import {
  type Env,
  S2S,
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
  startTcpServer,
  withCredentials,
  withoutAccountId,
} from './helpers.ts';
import {
  ACCOUNT,
  BASIC,
  type CertificateOptions,
  DOTENV,
  TOKEN,
  TOKEN_RESPONSE,
  createCertificate,
  respondWith,
} from './mock-zoom.ts';

const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;

const MARKETPLACE = 'https://marketplace.zoom.us/';
const COMPARE = `with App Credentials at ${MARKETPLACE}.\n`;
const WRONG_ACCOUNT = `ZOOM_ACCOUNT_ID is probably wrong.\nCompare it ${COMPARE}`;
const WRONG_CLIENT = `ZOOM_CLIENT_ID or ZOOM_CLIENT_SECRET is wrong, or they belong to different apps.\nCompare both ${COMPARE}`;
const WRONG_APP = `The app is not a Server-to-Server OAuth app, or is not activated.\nCheck its type and activation at ${MARKETPLACE}.\n`;
const APP_DISABLED = `The app with this ZOOM_CLIENT_ID is disabled.\nActivate it at ${MARKETPLACE}.\n`;
const DISABLED_BY_ADMIN = 'An administrator has disabled the app.\nAsk an administrator to allow it again.\n';
const NO_OWNER = `The owner of the app no longer exists.\nAssign a new owner at ${MARKETPLACE}.\n`;
const UNKNOWN = `The cause is not known.\nCompare all three credentials ${COMPARE}`;

describe('the script after a rejection', { concurrency: 2 }, () => {
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
      expectRun(result, { code: 1, stdout: '', stderr: `Zoom rejected the request: ${problem}.\n${advice}` });
      expectPlainText(result);
      assert.equal(server.requests.length, 1);
    });

  it('shows the tracking ID and prompts only for what the environment does not set', inTerminal, async () => {
    const cwd = folder({ '.env': 'ZOOM_CLIENT_SECRET=wrong\n' });
    const server = await ownMockZoom();
    const terminal = new Terminal({ cwd, env: withCredentials(server, { ZOOM_CLIENT_SECRET: undefined }) });
    await terminal.see(
      'Zoom rejected the request: "Invalid client_id or client_secret" (400).\n' +
        'Tracking ID (for Zoom support): v=2.0;clid=us02;rid=WEB_0123456789abcdef\n' +
        WRONG_CLIENT +
        'The environment sets ZOOM_CLIENT_ID.\nIf a value there is wrong, correct or unset it; s2s can change only .env.\n' +
        'Press Enter to keep the current value.\n',
    );
    await terminal.answer('ZOOM_CLIENT_SECRET', `${ZOOM_CLIENT_SECRET}\r`);
    assert.equal(await terminal.end(), 0);
    assert.equal(dotenv(cwd), `ZOOM_CLIENT_SECRET=${ZOOM_CLIENT_SECRET}\n`);
  });

  it('does not prompt if the environment sets every credential that may be wrong', inTerminal, async () => {
    // Use a secret that Zoom's message contains a part of: the message is understood nevertheless.
    const env = withCredentials(await ownMockZoom(), { ZOOM_CLIENT_SECRET: 'client_secret_2' });
    const { screen } = await session({ env, code: 1 });
    const lines =
      'The environment sets ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET.\n' +
      'If a value there is wrong, correct or unset it; s2s can change only .env.\n';
    assert.ok(screen.endsWith(lines), screen);
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
    await terminal.see('Press Enter to keep the current value.');
    await terminal.answer('ZOOM_CLIENT_ID', '\r');
    await terminal.answer('ZOOM_CLIENT_SECRET', 'StillWrong\r');
    await terminal.see('Zoom rejected');
    assert.equal(dotenv(cwd), text('"wrong"', "'Quoted #1'"), 'what Zoom rejected is not saved');
    await terminal.answer('ZOOM_CLIENT_ID', `${ZOOM_CLIENT_ID}\r`);
    await terminal.answer('ZOOM_CLIENT_SECRET', `${ZOOM_CLIENT_SECRET}\r`);
    assert.equal(await terminal.end(), 0);
    assert.ok(terminal.screen.replaceAll('\n', '').includes(TOKEN));
    for (const secret of ['Quoted #1', 'StillWrong']) assert.ok(!terminal.raw.includes(secret));
    assert.equal(dotenv(cwd), text(ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET));
    assert.equal(server.requests.length, 3);
    assert.ok(terminal.raw.includes('wrong'), 'the current client ID is offered');
  });

  it('prompts again on a first run, where Ctrl-D cancels', inTerminal, async () => {
    const cwd = folder();
    const terminal = new Terminal({ cwd, env: withoutAccountId(await ownMockZoom()) });
    await terminal.answer('ZOOM_ACCOUNT_ID', 'wrong\r');
    await terminal.see('ZOOM_ACCOUNT_ID is probably wrong.');
    await terminal.answer('ZOOM_ACCOUNT_ID', 'x\x04');
    assert.equal(await terminal.end(), 130);
    assert.match(terminal.screen, /\nCancelled\.\n$/);
    assert.deepEqual(files(cwd), []);
  });
});

const CHECK_NETWORK = 'Check your network connection, VPN, and firewall.\n';
const PAGE = '<!DOCTYPE html><title>Sign in to the network</title>';
const INTERCEPTED =
  'A captive portal, proxy, or firewall may have answered instead of Zoom.\nOpen ORIGIN/ in a browser, or try another network.\n';

describe('the script while connecting', { concurrency: 4 }, () => {
  it('reports a host that cannot be resolved', async () => {
    const result = await run({ env: { ...ACCOUNT, ZOOM_HOST: 'no-such-host.zoom.us' } });
    const stderr = `Cannot resolve no-such-host.zoom.us (ENOTFOUND).\n${CHECK_NETWORK}`;
    expectRun(result, { code: 1, stdout: '', stderr });
    expectPlainText(result);
  });

  it('reports a refused connection', async () => {
    const server = await startTcpServer();
    server.server.close();
    await expectFailure(server, `Cannot connect to HOST (ECONNREFUSED).\n${CHECK_NETWORK}`);
  });

  it('reports a server that does not use HTTP or TLS', async () => {
    const server = await startTcpServer((socket) => {
      socket.once('data', () => socket.end('220 mail.example ESMTP\r\n'));
    });
    await expectFailure(server, `HOST did not respond with valid HTTP (HPE_INVALID_CONSTANT).\n${INTERCEPTED}`);
    const overTls = await run({ env: withCredentials(server, { ZOOM_HOST: `https://${server.host}` }) });
    expectRun(overTls, { code: 1, stderr: /^Cannot connect to \S+ \([A-Z_]+\)\.\nCheck [^\n]+\n$/ });
  });

  const days = (number: number) => new Date(Date.now() + number * 86_400_000);
  const clock =
    'has expired or is not valid yet (CODE). Your credentials were not sent.\nCheck the date and time on this computer.\n';
  const untrusted =
    'is not trusted (CODE). Your credentials were not sent.\n' +
    'If your company inspects TLS traffic, set NODE_USE_SYSTEM_CA=1 (Node 22.19+ or\n' +
    "24.6+), or set NODE_EXTRA_CA_CERTS to a file with your company's CA certificate.\n";
  const certificates: {
    code: string;
    isTrusted?: boolean;
    host?: string;
    message: string;
    options?: () => Promise<CertificateOptions> | CertificateOptions;
  }[] = [
    {
      code: 'CERT_HAS_EXPIRED',
      isTrusted: true,
      options: () => ({ notBeforeDate: days(-9), notAfterDate: days(-2) }),
      message: `The certificate of HOST ${clock}`,
    },
    {
      code: 'CERT_NOT_YET_VALID',
      isTrusted: true,
      options: () => ({ notBeforeDate: days(2), notAfterDate: days(9) }),
      message: `The certificate of HOST ${clock}`,
    },
    {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      isTrusted: true,
      host: 'login.hotel.example',
      message: `HOST sent the wrong certificate (CODE).\n${INTERCEPTED}`,
    },
    {
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      message: `The certificate of HOST ${untrusted}`,
    },
    {
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      options: async () => ({ ca: await createCertificate('ca.company.example') }),
      message: `The certificate of HOST ${untrusted}`,
    },
  ];
  for (const { code, isTrusted, host = 'localhost', message, options } of certificates)
    it(`explains what is wrong with a certificate, and sends nothing: ${code}`, async () => {
      const server = await ownTrustedMockZoom(host, await options?.());
      const received: string[] = [];
      server.server.on('secureConnection', (socket: Socket) => socket.on('data', (data) => received.push(`${data}`)));
      const env: Env = isTrusted ? { NODE_EXTRA_CA_CERTS: server.NODE_EXTRA_CA_CERTS } : {};
      await expectFailure({ url: `https://localhost:${server.port}` }, message.replace('CODE', code), env);
      assert.deepEqual(received, []);
    });

  it('trusts a certificate in NODE_EXTRA_CA_CERTS', async () => {
    const { port, NODE_EXTRA_CA_CERTS } = await ownTrustedMockZoom('localhost');
    const result = await run({ env: withCredentials({ url: `https://localhost:${port}` }, { NODE_EXTRA_CA_CERTS }) });
    expectRun(result, { code: 0 });
  });
});

describe('the script after an unexpected response', { concurrency: 4 }, () => {
  for (const status of [301, 302, 303, 307, 308])
    it(`reports a redirect and does not follow it: ${status}`, async () => {
      const target = await ownMockZoom();
      const Location = `${target.url}/oauth/token`;
      const server = await ownMockZoom((response) => response.writeHead(status, { Location }).end());
      const problem = `HOST answered with a redirect to ${Location} (${status}).\n`;
      await expectFailure(server, problem + INTERCEPTED);
      assert.deepEqual([server.requests.length, target.requests.length], [1, 0]);
    });

  for (const { body, statuses, problem } of [
    { body: PAGE, statuses: [200, 300, 403, 407, 408, 429], problem: 'a web page' },
    { body: 'Access denied', statuses: [200, 300, 403, 407], problem: 'something other than a JSON object' },
    { body: '["access_token"]', statuses: [200, 300, 403, 407], problem: 'something other than a JSON object' },
    { body: '', statuses: [200, 300, 304, 403, 407], problem: 'an empty response' },
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
    await expectFailure(server, `HOST did not send a usable response.\n${INTERCEPTED}`);
  });

  for (const access_token of [undefined, null, '', 42, ['a'], 'a\nb', 'caf\u00e9', '\u001b]52;c;AAAA\u0007'])
    it(`reports an unusable access_token: ${JSON.stringify(access_token)}`, async () => {
      const headers = { 'x-zm-trackingid': 'id-1' };
      const server = await ownMockZoom(respondWith(200, { ...TOKEN_RESPONSE, access_token }, headers));
      await expectFailure(
        server,
        'HOST answered without a usable access_token (200).\n' +
          'Tracking ID (for Zoom support): id-1\nTry again in a few minutes.\n',
      );
      assert.equal(server.requests.length, 1);
    });

  it('rejects a response over 1 MiB', async () => {
    const server = await ownMockZoom(respondWith(200, { a: 'x'.repeat(1024 * 1024) }));
    await expectFailure(server, `HOST sent more than 1 MiB.\n${INTERCEPTED}`);
    assert.equal(server.requests.length, 1);
  });

  it('reports a server error that is not transient', async () => {
    const server = await ownMockZoom(respondWith(501, { reason: 'Never' }));
    await expectFailure(server, 'HOST answered with "Never" (501).\nTry again in a few minutes.\n');
  });

  it('removes escape sequences and the secret from an error message', async () => {
    const disguised = ZOOM_CLIENT_SECRET.replace('Xp4', 'Xp\u200b4');
    const reason = `\u001b[2J\u001b]0;title\u0007\u009b31m${disguised} Basic ${BASIC}\r\n\u202eend${'.'.repeat(999)}`;
    const headers = { 'x-zm-trackingid': '\u009b31mid' };
    const server = await ownMockZoom(respondWith(400, { reason, error: reason }, headers));
    const result = await run({ env: withCredentials(server) });
    const stderr =
      /^Zoom rejected the request: "\*\*\* Basic \*\*\* end\.+" \(400\)\.\nTracking ID \(for Zoom support\): id\n/;
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
      expectRun(rejection, { code: 1, stderr: /^Zoom rejected the request: / });
      expectPlainText(rejection);
      const accepting = await ownMockZoom(respondWith(200, { ...TOKEN_RESPONSE, scope: text }));
      expectRun(await run({ env: withCredentials(accepting) }), { code: 0 });
    });
});
