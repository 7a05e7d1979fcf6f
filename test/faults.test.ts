/** Errors that are not retried: rejections by Zoom, network errors, bad certificates, and unexpected or random responses. */

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ACCOUNT, BASIC, TOKEN, TOKEN_RESPONSE, createCertificate, respondWith } from './mock-zoom.ts';
import { CHECK_NETWORK, SEED, checkProperty, expectFailure, expectPlainText, expectRun } from './script.ts';
import { folder, preloading, run, setByEnvironment, withCredentials } from './script.ts';
import { ownMockZoom, ownTrustedMockZoom, startTcpServer } from './servers.ts';
import { isWindows } from './skip.ts';

const TRACKING = 'Tracking ID (for Zoom support): id-1\n';
const SUSPECTS =
  'A captive portal, proxy, or firewall may have answered instead of Zoom. Open ORIGIN/ in a browser, or try another network.\n';
const CLIENT = 'ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET do not match. Compare both with App Credentials';
const ACCOUNT_ID = 'ZOOM_ACCOUNT_ID is most likely wrong. Compare it with App Credentials';
const TYPE = 'The app is not a Server-to-Server OAuth app, or it is not activated. Check both';
const DISABLED = 'The app with this ZOOM_CLIENT_ID is disabled. Activate it';
const OWNER = 'The owner of the app no longer exists. Assign a new owner';
const ADMIN = 'An administrator must enable the app again';
const UNKNOWN = 'The cause is unclear. Compare all three values with App Credentials';

/** Expects the end of a run whose credentials, all of them from the environment, Zoom rejected. */
const expectRejection = (server: { url: string }, answer: string, details: string, explanation: string) =>
  expectFailure(
    server,
    `Zoom rejected the request: ${answer}.\n${details}${explanation} at https://marketplace.zoom.us/.\n` +
      `${setByEnvironment(Object.keys(ACCOUNT).join(', '))}\n`,
  );

describe('the script', { concurrency: 4 }, () => {
  const number = (code: unknown) => ({ reason: 'No', code });
  const keys = ['reason', 'errorMessage', 'error_description', 'message', 'error', 'errorCode', 'code'];
  const allFrom = (nth: number) => Object.fromEntries(keys.slice(nth).map((key) => [key, `the ${key}`]));
  for (const { status = 400, explanation, bodies, shown } of [
    { explanation: CLIENT, bodies: [{ reason: 'Invalid Client' }, ...[4702, 4704, '4706'].map(number)], status: 401 },
    { explanation: ACCOUNT_ID, bodies: [{ reason: 'Bad Request', error: 'x' }, { error: 'invalid_request' }] },
    { explanation: TYPE, bodies: [{ reason: 'Grant type of the client' }, { error: 'grant_type' }, number(4705)] },
    { explanation: DISABLED, bodies: [{ reason: 'This client is Disabled' }, number(4717)], status: 403 },
    { explanation: OWNER, bodies: [{ message: 'The Owner of this disabled app is gone' }, number(4735)] },
    { explanation: ADMIN, bodies: [{ message: 'The owner is disabled By admin.' }, number(4738)] },
    { explanation: UNKNOWN, bodies: [{ reason: 'Not a bad request' }, number(47020)], status: 499 },
    { explanation: UNKNOWN, bodies: keys.map((_, nth) => allFrom(nth)) },
    { explanation: UNKNOWN, bodies: [{ errorMessage: '', errorCode: 4700 }], shown: '4700' },
    { explanation: UNKNOWN, bodies: [{ reason: { toString: 1 }, message: ['client'], error: 'x' }], shown: 'x' },
    { explanation: UNKNOWN, bodies: [{ reason: 'x'.repeat(201) }], shown: 'x'.repeat(200) },
  ])
    for (const body of bodies)
      it(`explains a rejection and does not retry: ${JSON.stringify(body)}`, async () => {
        // Send the fields in reverse order, because their order does not decide which one is quoted.
        const reversed = Object.fromEntries(Object.entries(body).reverse());
        const server = await ownMockZoom(respondWith(status, reversed, { 'x-zm-trackingid': 'id-1' }));
        await expectRejection(server, `"${shown ?? Object.values(body)[0]}" (${status})`, TRACKING, explanation);
        assert.equal(server.requests.length, 1);
      });

  it('hides the secret and the Basic credentials, and removes control characters', async () => {
    const secret = ACCOUNT.ZOOM_CLIENT_SECRET;
    const reason = `\u001b[2J\u009b31m${secret} Basic ${BASIC}\r\n\u202eend ${'.'.repeat(150)}${secret}x`;
    const server = await ownMockZoom(respondWith(400, { reason }, { 'x-zm-trackingid': `\u009b1m${BASIC}` }));
    const quoted = `" [2J 31m*** Basic *** end ${'.'.repeat(150)}***x" (400)`;
    await expectRejection(server, quoted, 'Tracking ID (for Zoom support):  1m***\n', UNKNOWN);
  });

  it('decodes characters whose bytes arrive in different packets', async () => {
    const more = '\u20ac'.repeat(300_000); // Packets are not multiples of its three bytes.
    const server = await ownMockZoom(respondWith(200, { ...TOKEN_RESPONSE, more }));
    const { stdout } = await run({ args: ['--json'], env: withCredentials(server) });
    assert.ok(JSON.parse(stdout).more === more, stdout.replaceAll('\u20ac', ''));
  });

  for (const secret of ['wrong-secret', 'secret', 'i', '_secret', 't_secret'])
    it(`hides a secret of eight or more characters, and only as a whole: ${secret}`, async () => {
      const { stderr } = await run({ env: withCredentials(await ownMockZoom(), { ZOOM_CLIENT_SECRET: secret }) });
      const shown = secret === 't_secret' ? 'clien***' : 'client_secret';
      assert.equal(stderr.split('\n')[0], `Zoom rejected the request: "Invalid client_id or ${shown}" (400).`);
    });

  for (const secret of ['r', 'my-long-scope'])
    it(`prints scopes unchanged, but without control characters, if the secret is "${secret}"`, async () => {
      const scope = 'user:read\u001b[31m my-long-scope\u009b2J';
      const server = await ownMockZoom(respondWith(200, { ...TOKEN_RESPONSE, scope }));
      const result = await run({ env: withCredentials(server, { ZOOM_CLIENT_SECRET: secret }) });
      expectRun(result, { code: 0, stdout: /\n\nScopes:\n-------\nuser:read\n\[31m\nmy-long-scope\n2J\n$/ });
    });

  const skipOnWindows = isWindows && 'Windows allows no control characters in names';
  for (const { name, folderName = '.', env = {}, shown, skip = false } of [
    { name: 'DOTENV_PATH', env: { DOTENV_PATH: '\u001b]0;x\u0007.env' }, shown: ' ]0;x .env: ' },
    { name: 'the name of the folder', folderName: 'a\u001b[31m\nb', shown: 'a [31m b/.env: ', skip: skipOnWindows },
  ])
    it(`removes control characters from ${name}`, { skip }, async () => {
      const cwd = join(folder(), folderName);
      mkdirSync(cwd, { recursive: true });
      const { stderr } = await run({ cwd, env });
      assert.ok(stderr.includes(shown), stderr);
    });

  it('names the host, not its address, if the connection is refused', async () => {
    const { port, server } = await startTcpServer();
    server.close();
    const addresses = "[{ address: '127.0.0.1', family: 4 }]";
    const env = preloading(`require('node:dns').lookup = (_, options, callback) => callback(null, ${addresses});`);
    const result = await run({ env: withCredentials({ url: `zoom.us:${port}` }, env) });
    expectRun(result, { code: 1, stderr: `Cannot reach zoom.us:${port} (ECONNREFUSED).\n${CHECK_NETWORK}` });
  });

  it('reports a server that does not use HTTP or TLS', async () => {
    const server = await startTcpServer((socket) => socket.once('data', () => socket.end('220 mail.example\r\n')));
    await expectFailure(server, `Cannot reach HOST (HPE_INVALID_CONSTANT).\nCheck ZOOM_HOST (ORIGIN).\n`);
    const overTls = await run({ env: withCredentials({ url: `https://${server.host}` }) });
    expectRun(overTls, { code: 1, stderr: /^Cannot reach [\d.:]+ \(E[A-Z_]+\)\.\nCheck ZOOM_HOST \(https:.+\)\.\n$/ });
  });

  it('trusts a certificate in NODE_EXTRA_CA_CERTS', async () => {
    const { port, NODE_EXTRA_CA_CERTS } = await ownTrustedMockZoom('localhost');
    const env = withCredentials({ url: `https://localhost:${port}` }, { NODE_EXTRA_CA_CERTS });
    expectRun(await run({ env }), { code: 0 });
  });

  const days = (number: number) => new Date(Date.now() + number * 86_400_000);
  const expired = () => ({ notBeforeDate: days(-9), notAfterDate: days(-2) });
  const early = () => ({ notBeforeDate: days(2), notAfterDate: days(9) });
  const signed = async () => ({ ca: await createCertificate('ca.company.example') });
  const wrongTime = "has expired or is not valid yet. Check this computer's clock.";
  const wrongHost = 'belongs to another host, perhaps a captive portal. Try another network.';
  const untrusted = 'is not trusted. If your company inspects TLS, set NODE_USE_SYSTEM_CA=1 or NODE_EXTRA_CA_CERTS.';
  for (const { code, advice, host = 'localhost', options = () => ({}) } of [
    { code: 'CERT_HAS_EXPIRED', advice: wrongTime, options: expired },
    { code: 'CERT_NOT_YET_VALID', advice: wrongTime, options: early },
    { code: 'ERR_TLS_CERT_ALTNAME_INVALID', advice: wrongHost, host: 'login.hotel.example' },
    { code: 'DEPTH_ZERO_SELF_SIGNED_CERT', advice: untrusted },
    { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', advice: untrusted, options: signed },
  ])
    it(`explains what is wrong with a certificate, and sends nothing: ${code}`, async () => {
      const { port, server, NODE_EXTRA_CA_CERTS } = await ownTrustedMockZoom(host, await options());
      const received: string[] = [];
      server.on('secureConnection', (socket: Socket) => socket.on('data', (data) => received.push(`${data}`)));
      const message = `Cannot reach HOST (${code}).\nIts certificate ${advice} Your credentials were not sent.\n`;
      const env = advice === untrusted ? {} : { NODE_EXTRA_CA_CERTS };
      await expectFailure({ url: `https://localhost:${port}` }, message, env);
      assert.deepEqual(received, []);
    });

  const unusable = [undefined, '', 42, ['a'], 'a\nb', 'caf\u00e9', '\u001b]52;c;AAAA\u0007', 'a\u007f'];
  const responses: { status: number; body: string; answer?: string }[] = [
    ...[200, 300, 403, 407].map((status) => ({ status, body: '<!DOCTYPE html><title>Sign in</title>' })),
    ...[200, 302, 304, 307].map((status) => ({ status, body: '' })),
    ...['null', '["reason"]', '{"error":{"code":1}}'].map((body) => ({ status: 400, body })),
    ...unusable.map((access_token) => ({ status: 200, body: JSON.stringify({ access_token }) })),
    { status: 300, body: JSON.stringify(TOKEN_RESPONSE) },
    { status: 399, body: '{"reason":"Invalid client"}', answer: '"Invalid client" (399)' },
  ];
  for (const { status, body, answer = `status ${status}` } of responses)
    it(`neither repeats the request nor follows a redirect after an unexpected response: ${status} ${body}`, async () => {
      const target = await ownMockZoom();
      const headers = { 'x-zm-trackingid': 'id-1', Location: `${target.url}/oauth/token` };
      const server = await ownMockZoom((response) => response.writeHead(status, headers).end(body));
      await expectFailure(server, `HOST answered with ${answer}.\n${TRACKING}${SUSPECTS}`);
      assert.deepEqual([server.requests.length, target.requests.length], [1, 0]);
    });

  it('does not wait for the end of a response of more than 1 MiB', async () => {
    const server = await ownMockZoom((response) => void response.write('x'.repeat(1.25 * 2 ** 20)));
    await expectFailure(server, `HOST answered with status 200.\n${SUSPECTS}`);
  });

  it('accepts a response of almost 1 MiB, any status below 300, and any printable token', async () => {
    const server = await ownMockZoom(respondWith(299, { access_token: '! ~', more: 'x'.repeat(2 ** 20 - 99) }));
    const result = await run({ args: ['--token'], env: withCredentials(server) });
    expectRun(result, { code: 0, stdout: '! ~\n', stderr: '' });
  });
});

const HOSTILE = ['\u001b[2J', '\u009b1m', '\u0007', '\u202e', '\n', '\0', '"', 'é', '{}', 'client'];
/** Generates random texts, and texts of parts on which a terminal or a parser may act. */
const textOf = (parts: string[]) =>
  fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...parts) }));
const text = textOf([...HOSTILE, ACCOUNT.ZOOM_CLIENT_SECRET, BASIC]);
const field = fc.oneof({ weight: 3, arbitrary: text }, { weight: 1, arbitrary: fc.jsonValue() });
// The token and the scopes are printed as they are, so they do not contain the secret.
const access_token = fc.oneof(fc.constant(TOKEN), fc.string({ minLength: 1 }), textOf(HOSTILE));
const scope = fc.oneof(textOf(HOSTILE), fc.array(textOf(HOSTILE)), fc.double());
const expires_in = fc.oneof(fc.constant(3600), fc.double(), field);
const fields = { access_token, scope, expires_in, reason: field, errorMessage: field, error: field, errorCode: field };
const body = fc.oneof(
  { weight: 5, arbitrary: fc.record(fields, { requiredKeys: [] }).map((value) => Buffer.from(JSON.stringify(value))) },
  { weight: 1, arbitrary: fc.json().map((json) => Buffer.from(json)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)) },
);
// Retries take seconds. After 101, each attempt takes 15.
const status = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(200, 200, 299, 400, 401, 403) },
  { weight: 6, arbitrary: fc.integer({ min: 200, max: 499 }).filter((status) => ![408, 429].includes(status)) },
  { weight: 1, arbitrary: fc.constantFrom(100, 103, 199, 408, 429, 500, 503, 599, 600, 999) },
);
const name = fc.constantFrom('Location', 'x-zm-trackingid', 'Content-Encoding', 'Content-Length', 'Transfer-Encoding');
const value = fc.oneof(text, fc.constantFrom('0', '9', 'http://[', 'chunked', 'gzip'));
const headers = fc.dictionary(name, value, { maxKeys: 3 });
const wait = fc.constantFrom('0', '-1', '2', 'soon', '31', '9'.repeat(20), 'Thu, 01 Jan 2099 00:00:00 GMT');
const args = fc.constantFrom<string[]>([], ['--token']);

/** Returns the token in a complete response, or undefined. */
function findToken(status: number, body: Buffer): string | undefined {
  try {
    const { access_token: token } = JSON.parse(String(body));
    return status >= 200 && status < 300 && typeof token === 'string' && /^[ -~]+$/.test(token) ? token : undefined;
  } catch {
    return undefined;
  }
}

it(`prints a token or a plain message, whatever a server sends (${SEED})`, () =>
  checkProperty(fc.record({ status, headers, wait, body, args }), async () => {
    let response = Buffer.alloc(0);
    const { url } = await startTcpServer((socket) => socket.once('data', () => socket.end(response)));
    return async ({ status, headers, wait, body, args }) => {
      const lines = Object.entries({ 'Retry-After': wait, ...headers }).map((header) => header.join(': '));
      const head = Buffer.from([`HTTP/1.1 ${status} Status`, ...lines, '\r\n'].join('\r\n'), 'latin1');
      response = Buffer.concat([head, body]);
      const result = await run({ args, env: withCredentials({ url }) }); // This expects that no secret is printed.
      expectPlainText(result);
      const token = findToken(status, body);
      if (result.code === 0) return assert.equal(result.stdout.split('\n')[args.length ? 0 : 3], token);
      expectRun(result, { code: 1, stdout: '', stderr: /^(?:[^\n]+\n){1,7}$/ });
      // If the head is valid and does not say how long the body is, the body is complete.
      const isComplete = !/[\x00-\x1f\x7f]|Length|Transfer/.test(head.toString('latin1').replaceAll('\r\n', ''));
      return assert.equal(isComplete && status !== 204 ? token : undefined, undefined);
    };
  }));
