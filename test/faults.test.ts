/** The bad days: what Zoom, the network, or a signal can do, and what the person is told. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'dotenv';
import {
  S2S_ALONE,
  Terminal,
  assertClean,
  configured,
  fails,
  files,
  folder,
  inTerminal,
  lacking,
  run,
  ownStandIn,
  start,
  tcp,
  trustedStandIn,
  typeAccountId,
} from './helpers.ts';
import { ACCOUNT, BASIC, DOTENV, GRANTED, TOKEN, certificate, json, zoom } from './stand-in.ts';

const PAGE = '<!DOCTYPE html><title>Sign in to the network</title>';
const INTERCEPTED =
  'A captive portal, a proxy, or a firewall may have answered in its place:\n' +
  'open http://HOST/ in a browser on this network, or try another network.\n';

describe('a refusal by Zoom', { concurrency: 2 }, () => {
  const where = 'with App Credentials at https://marketplace.zoom.us/.\n';
  const activation = 'Activation page at https://marketplace.zoom.us/.\n';
  const cases: [name: string, status: number, body: unknown, expected: string][] = [
    [
      'wrong client ID or secret',
      401,
      { reason: 'Invalid client_id or client_secret', error: 'invalid_client' },
      'Zoom refused: "Invalid client_id or client_secret" (401).\n' +
        `ZOOM_CLIENT_ID or ZOOM_CLIENT_SECRET is wrong, or they are of different apps:\ncompare both ${where}`,
    ],
    [
      'wrong client ID, newer form',
      400,
      { errorCode: 4702, errorMessage: 'Invalid client_id: abc' },
      'Zoom refused: "Invalid client_id: abc" (400).\n' +
        `ZOOM_CLIENT_ID or ZOOM_CLIENT_SECRET is wrong, or they are of different apps:\ncompare both ${where}`,
    ],
    [
      'wrong account ID',
      400,
      { reason: 'Bad Request', error: 'invalid_request' },
      `Zoom refused: "Bad Request" (400).\nZOOM_ACCOUNT_ID is wrong:\ncompare it ${where}`,
    ],
    [
      'another type of app',
      400,
      { reason: 'unsupported grant type', error: 'unsupported_grant_type' },
      'Zoom refused: "unsupported grant type" (400).\n' +
        `The app of ZOOM_CLIENT_ID is no Server-to-Server OAuth app or is not activated:\ncheck its type and its ${activation}`,
    ],
    [
      'a disabled app',
      403,
      { reason: 'The app has been disabled' },
      `Zoom refused: "The app has been disabled" (403).\nThe app of ZOOM_CLIENT_ID is disabled:\nactivate it on its ${activation}`,
    ],
    [
      'words nobody knows yet',
      422,
      { reason: 'Moon phase' },
      `Zoom refused: "Moon phase" (422).\nCheck ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET:\ncompare them ${where}`,
    ],
    [
      'no words',
      400,
      {},
      `Zoom refused: status 400.\nCheck ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET:\ncompare them ${where}`,
    ],
  ];
  for (const [name, status, body, expected] of cases)
    it(`is explained, and not repeated: ${name}`, async () => {
      const server = await ownStandIn((response) => json(response, status, body));
      const cwd = folder();
      writeFileSync(join(cwd, '.env'), DOTENV);
      const result = await run({ cwd, env: { ZOOM_HOST: server.url } });
      assert.deepEqual([result.code, result.stdout, result.stderr], [1, '', expected]);
      assertClean(result);
      assert.equal(server.requests.length, 1);
    });

  it(
    'carries the tracking ID, and names the variable where the environment has the rejected value',
    inTerminal,
    async () => {
      const cwd = folder();
      writeFileSync(join(cwd, '.env'), `ZOOM_CLIENT_ID=wrong\n`);
      const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;
      const server = await ownStandIn();
      const terminal = new Terminal({ cwd, env: { ZOOM_HOST: server.url, ZOOM_ACCOUNT_ID, ZOOM_CLIENT_SECRET } });
      assert.equal(await terminal.end(), 1);
      assert.equal(
        terminal.screen,
        'Zoom refused: "Invalid client_id or client_secret" (400).\n' +
          "Tracking ID, for Zoom's support: v=2.0;clid=us02;rid=WEB_0123456789abcdef\n" +
          `ZOOM_CLIENT_ID or ZOOM_CLIENT_SECRET is wrong, or they are of different apps:\ncompare both ${where}` +
          'The environment, which wins over .env, has a rejected value:\nchange or unset ZOOM_CLIENT_SECRET.\n',
      );
    },
  );

  it('is asked about in a terminal, until Zoom accepts; what is typed is saved in place', inTerminal, async () => {
    const cwd = folder();
    const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;
    const text = (id: string, secret: string) =>
      `# mine\nexport ZOOM_CLIENT_ID = ${id} # of the app\r\nPORT=1\nZOOM_CLIENT_SECRET: ${secret}# old\nZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}`;
    writeFileSync(join(cwd, '.env'), text('"wrong"', "'Quoted #1'"));
    const server = await ownStandIn();
    const terminal = new Terminal({ cwd, env: { ZOOM_HOST: server.url } });
    await terminal.see('Enter keeps a value.');
    await terminal.answer('ZOOM_CLIENT_ID', '\r');
    await terminal.answer('ZOOM_CLIENT_SECRET', 'StillWrong\r');
    await terminal.see('Saved ZOOM_CLIENT_SECRET in .env.');
    await terminal.see('Zoom refused');
    assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), text('"wrong"', 'StillWrong'));
    await terminal.answer('ZOOM_CLIENT_ID', `${ZOOM_CLIENT_ID}\r`);
    await terminal.answer('ZOOM_CLIENT_SECRET', `${ZOOM_CLIENT_SECRET}\r`);
    assert.equal(await terminal.end(), 0);
    assert.ok(terminal.screen.replaceAll('\n', '').includes(TOKEN));
    for (const secret of ['Quoted #1', 'StillWrong', ZOOM_CLIENT_SECRET]) assert.ok(!terminal.raw.includes(secret));
    assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), text(ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET));
    assert.equal(server.requests.length, 3);
    assert.ok(terminal.raw.includes('wrong'), 'the present value is offered');
  });

  it('is asked about after a first run too, and cancelled as any question', inTerminal, async () => {
    const cwd = folder();
    const server = await ownStandIn();
    const terminal = new Terminal({ cwd, env: { ZOOM_HOST: server.url, ...ACCOUNT, ZOOM_ACCOUNT_ID: '' } });
    await terminal.answer('ZOOM_ACCOUNT_ID', 'wrong\r');
    await terminal.see('ZOOM_ACCOUNT_ID is wrong');
    await terminal.answer('ZOOM_ACCOUNT_ID', 'x\x03');
    assert.equal(await terminal.end(), 130);
    assert.match(terminal.screen, /\nCancelled\n$/);
    assert.deepEqual({ ...parse(readFileSync(join(cwd, '.env'))) }, { ZOOM_ACCOUNT_ID: 'wrong' });
  });
});

describe('a fault that stays', { concurrency: 4 }, () => {
  it('is told: name not found', async () => {
    const result = await run({ env: { ...ACCOUNT, ZOOM_HOST: 'no-such-host.zoom.us' } });
    assert.deepEqual([result.code, result.stdout], [1, '']);
    assert.match(
      result.stderr,
      /^The name of no-such-host\.zoom\.us is not found \((ENOTFOUND|EAI_AGAIN)\)\.\nCheck [^\n]+\.\n$/,
    );
    assertClean(result);
  });

  it('is told: connection refused', async () => {
    const server = await tcp(() => {});
    server.server.close();
    await fails(
      server,
      'HOST refused the connection.\nCheck the network connection, and a firewall or VPN in between.\n',
    );
  });

  it('is told: a server that does not speak HTTP, or not TLS', async () => {
    const server = await tcp((socket) => socket.once('data', () => socket.end('220 mail.example ESMTP\r\n')));
    await fails(
      server,
      'The connection to HOST failed (HPE_INVALID_CONSTANT).\nCheck the network connection, and a firewall or VPN in between.\n',
    );
    const plain = await run({ env: configured({ url: server.url.replace('http', 'https') }) });
    assert.equal(plain.code, 1);
    assert.match(plain.stderr, /^The connection to \S+ failed \([A-Z_]+\)\.\nCheck [^\n]+\n$/);
  });

  it('is told: a certificate nobody trusts, and nothing is sent', async () => {
    const server = await ownStandIn(zoom, await certificate('localhost'));
    const bytes: string[] = [];
    server.server.on('secureConnection', (socket: Socket) => socket.on('data', (data) => bytes.push(`${data}`)));
    await fails(
      server,
      'The certificate of HOST is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT), so nothing was sent.\n' +
        'If your company inspects TLS, set NODE_EXTRA_CA_CERTS to the file of its CA.\n',
    );
    assert.deepEqual([server.requests.length, bytes], [0, []]);
  });

  it('is no fault: a certificate that NODE_EXTRA_CA_CERTS trusts', async () => {
    const { port, NODE_EXTRA_CA_CERTS } = await trustedStandIn('localhost');
    const result = await run({ env: configured({ url: `https://localhost:${port}` }, { NODE_EXTRA_CA_CERTS }) });
    assert.equal(result.code, 0, result.stderr);
  });

  for (const status of [301, 302, 303, 307, 308])
    it(`is told: a redirect ${status}, which is not followed`, async () => {
      const other = await ownStandIn();
      const server = await ownStandIn((response) =>
        response.writeHead(status, { Location: `${other.url}/oauth/token` }).end(),
      );
      const to = new URL(other.url).host;
      await fails(server, `HOST answered with a redirect to ${to} (${status}), which is not followed.\n${INTERCEPTED}`);
      assert.deepEqual([server.requests.length, other.requests.length], [1, 0]);
    });

  for (const [body, what] of [
    [PAGE, 'a web page'],
    ['Access denied', 'something'],
    ['', 'nothing'],
    ['["access_token"]', 'something'],
  ] as const)
    it(`is told: an answer that is not JSON: ${what}, ${body.length} bytes`, async () => {
      for (const status of body === PAGE ? [200, 403, 407, 502, 503] : [200, 403, 407]) {
        const server = await ownStandIn((response) => response.writeHead(status).end(body));
        await fails(server, `HOST answered with ${what} that is not JSON (status ${status}).\n${INTERCEPTED}`);
        assert.equal(server.requests.length, 1);
      }
    });

  it('is told: no usable access_token', async () => {
    for (const access_token of [undefined, null, '', 42, ['a'], 'a\nb', 'caf\u00e9', '\u001b]52;c;AAAA\u0007']) {
      const server = await ownStandIn((response) =>
        json(response, 200, { ...GRANTED, access_token }, { 'x-zm-trackingid': 'id-1' }),
      );
      await fails(
        server,
        "HOST answered without a usable access_token (200).\nTracking ID, for Zoom's support: id-1\nRun this again in a few minutes.\n",
      );
      assert.equal(server.requests.length, 1);
    }
  });

  it('is told: more than 1 MiB', async () => {
    const server = await ownStandIn((response) => response.end(`{"a":"${'x'.repeat(1024 * 1024)}"}`));
    await fails(server, `HOST sent more than 1 MiB, which is no answer of Zoom's.\n${INTERCEPTED}`);
    assert.equal(server.requests.length, 1);
  });

  it('is told: a server error that does not pass', async () => {
    const server = await ownStandIn((response) => json(response, 501, { reason: 'Never' }));
    await fails(server, 'HOST answered with "Never" (501).\nRun this again in a few minutes.\n');
  });

  it('is told without what a server would do to the terminal, and without the secret it may repeat', async () => {
    const nasty = `\u001b[2J\u001b]0;title\u0007\u009b31m${ACCOUNT.ZOOM_CLIENT_SECRET} Basic ${BASIC}\r\n\u202eend${'.'.repeat(999)}`;
    const server = await ownStandIn((response) =>
      json(response, 400, { reason: nasty, error: nasty }, { 'x-zm-trackingid': '\u009b31mid' }),
    );
    const result = await run({ env: configured(server) });
    assertClean(result);
    assert.match(
      result.stderr,
      /^Zoom refused: "\*\*\* Basic \*\*\* end\.+" \(400\)\.\nTracking ID, for Zoom's support: \S*id\n/,
    );
    assert.ok(result.stderr.length < 700);
  });

  it('shows scopes without control characters', async () => {
    const server = await ownStandIn((response) =>
      json(response, 200, { ...GRANTED, scope: 'a:read\u001b[31m b\u0007:read\u009b2J' }),
    );
    const result = await run({ env: configured(server) });
    assertClean(result);
    assert.match(result.stdout, /\n-------\na:read\nb:read\n$/);
  });
});

const noSignals = process.platform === 'win32' && 'Windows has no signals';

describe('a signal', { concurrency: 4, skip: noSignals }, () => {
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`ends a request: ${signal}`, async () => {
      const server = await tcp(() => {});
      const { child, result } = start({ env: configured(server) });
      await once(server.server, 'connection');
      child.kill(signal);
      const { code, signal: by, stdout, stderr } = await result;
      assert.ok(code === status || by === signal, `${code} ${by}`);
      assert.deepEqual([stdout, stderr], ['', '']);
    });

    it(`ends a question, and the terminal is as it was: ${signal}`, inTerminal, async () => {
      const cwd = folder();
      const terminal = new Terminal({ cwd });
      await terminal.see('? ZOOM_ACCOUNT_ID ›');
      process.kill(terminal.pid, signal);
      assert.equal(await terminal.end(), status);
      assert.deepEqual(files(cwd), []);
    });
  }

  // The signal comes as the disk begins to take its time.
  const slowDisk = 'strace --follow-forks --seccomp-bpf --trace=fsync --inject=fsync:signal=INT:delay_exit=3000000';
  it('in the middle of saving waits until .env is whole', { skip: lacking(`${slowDisk} true`) }, async () => {
    const server = await tcp(() => {});
    const cwd = folder();
    const spy = join(folder(), 'spy.cjs');
    const onSignal = `require('node:fs').writeFileSync('heard', String(require('node:fs').readdirSync('.')))`;
    writeFileSync(spy, `process.once('SIGINT', () => ${onSignal})`);
    const command = [...slowDisk.split(' '), '--output=/dev/null', ...S2S_ALONE.toSpliced(1, 0, `--require=${spy}`)];
    const terminal = await typeAccountId(server, { cwd, command });
    assert.equal(await terminal.end(), 130);
    assert.deepEqual(files(cwd), ['.env', 'heard']);
    assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), `ZOOM_ACCOUNT_ID=${ACCOUNT.ZOOM_ACCOUNT_ID}\n`);
    // tsx kills a process that does not react to a signal at once.
    assert.match(readFileSync(join(cwd, 'heard'), 'utf8'), /^\.env\.[^,]+$/, 'heard before .env was in its place');
  });

  it('at any moment leaves .env whole and nothing beside it', inTerminal, async () => {
    const server = await tcp(() => {});
    const before = `KEEP=${'x'.repeat(100_000)}\nZOOM_ACCOUNT_ID=`;
    for (let delay = 0; delay < 60; delay += 6) {
      const cwd = folder();
      writeFileSync(join(cwd, '.env'), `${before}\n`);
      const terminal = await typeAccountId(server, { cwd, command: S2S_ALONE });
      await sleep(delay);
      process.kill(terminal.pid, 'SIGTERM');
      assert.equal(await terminal.end(), 143);
      assert.deepEqual(files(cwd), ['.env']);
      assert.ok(
        [`${before}\n`, `${before}${ACCOUNT.ZOOM_ACCOUNT_ID}\n`].includes(readFileSync(join(cwd, '.env'), 'utf8')),
      );
    }
  });
});
