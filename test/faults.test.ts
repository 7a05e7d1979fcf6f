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
  S2S,
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
  const mismatch = `ZOOM_CLIENT_ID or ZOOM_CLIENT_SECRET is wrong, or they are of different apps:\ncompare both ${where}`;
  const otherApp = `The app of ZOOM_CLIENT_ID is no Server-to-Server OAuth app or is not activated:\ncheck its type and its ${activation}`;
  const check = `Check ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET:\ncompare them ${where}`;
  const cases: [name: string, status: number, body: unknown, expected: string][] = [
    ...(
      [
        [
          'Invalid client_id or client_secret',
          { reason: 'Invalid client_id or client_secret', error: 'invalid_client' },
        ],
        ['Invalid client_id: abc', { errorCode: 4702, errorMessage: 'Invalid client_id: abc' }],
        ['Invalid client.', { code: 4702, message: 'Invalid client.' }],
        ['Invalid client secret.', { errorMessage: 'Invalid client secret.' }],
        ['No match', { errorCode: 4704, error_description: 'No match' }],
        [
          'Client ID does not match authenticated client.',
          { message: 'Client ID does not match authenticated client.' },
        ],
        ['Client ID or client secret is missing.', { reason: 'Client ID or client secret is missing.' }],
        ['Gone', { errorCode: '4706', reason: 'Gone' }],
      ] as const
    ).map(
      ([words, body]) =>
        [`wrong client ID or secret: ${words}`, 401, body, `Zoom refused: "${words}" (401).\n${mismatch}`] as [
          string,
          number,
          unknown,
          string,
        ],
    ),
    [
      'wrong account ID',
      400,
      { reason: 'Bad Request', error: 'invalid_request' },
      `Zoom refused: "Bad Request" (400).\nZOOM_ACCOUNT_ID is most likely wrong:\ncompare it ${where}`,
    ],
    [
      'wrong account ID, without words',
      400,
      { error: 'invalid_request' },
      `Zoom refused: "invalid_request" (400).\nZOOM_ACCOUNT_ID is most likely wrong:\ncompare it ${where}`,
    ],
    [
      'an invalid request whose words speak for themselves',
      400,
      { error: 'invalid_request', reason: 'Missing grant' },
      `Zoom refused: "Missing grant" (400).\n${check}`,
    ],
    [
      'another type of app',
      400,
      { reason: 'unsupported grant type', error: 'unsupported_grant_type' },
      `Zoom refused: "unsupported grant type" (400).\n${otherApp}`,
    ],
    [
      'another type of app, by its number',
      400,
      { errorCode: 4705, errorMessage: 'No such grant' },
      `Zoom refused: "No such grant" (400).\n${otherApp}`,
    ],
    [
      'a disabled app',
      403,
      { reason: 'The app has been disabled' },
      `Zoom refused: "The app has been disabled" (403).\nThe app of ZOOM_CLIENT_ID is disabled:\nactivate it on its ${activation}`,
    ],
    [
      'an app that an administrator has disabled',
      400,
      { code: 4738, message: 'The token is disabled by admin.' },
      'Zoom refused: "The token is disabled by admin." (400).\n' +
        'An administrator disabled the app:\none has to allow it again.\n',
    ],
    [
      'an app without an owner',
      400,
      { message: 'The owner of the token does not exist.' },
      'Zoom refused: "The owner of the token does not exist." (400).\n' +
        'The owner of the app is gone:\ngive it another at https://marketplace.zoom.us/.\n',
    ],
    [
      'words of no number that is known',
      400,
      { code: 124, message: 'Invalid access token.' },
      `Zoom refused: "Invalid access token." (400).\n${check}`,
    ],
    ['words nobody knows yet', 422, { reason: 'Moon phase' }, `Zoom refused: "Moon phase" (422).\n${check}`],
    ['no words', 400, {}, `Zoom refused: status 400.\n${check}`],
    ['an object in place of a name', 400, { error: { toString: 1 } }, `Zoom refused: status 400.\n${check}`],
    [
      'empty words and a name',
      400,
      { reason: '', message: 1, error: 'invalid_client' },
      `Zoom refused: "invalid_client" (400).\n${mismatch}`,
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

  it('carries the tracking ID, and is asked about as far as the environment does not decide', inTerminal, async () => {
    const { ZOOM_CLIENT_SECRET, ...ids } = ACCOUNT;
    const cwd = folder();
    writeFileSync(join(cwd, '.env'), 'ZOOM_CLIENT_SECRET=wrong\n');
    const server = await ownStandIn();
    const terminal = new Terminal({ cwd, env: { ZOOM_HOST: server.url, ...ids } });
    await terminal.see(
      'Zoom refused: "Invalid client_id or client_secret" (400).\n' +
        "Tracking ID, for Zoom's support: v=2.0;clid=us02;rid=WEB_0123456789abcdef\n" +
        `${mismatch}` +
        'The environment, which wins over .env, may have a wrong value:\nchange or unset ZOOM_CLIENT_ID.\n' +
        'Enter keeps a value.\n',
    );
    await terminal.answer('ZOOM_CLIENT_SECRET', `${ZOOM_CLIENT_SECRET}\r`);
    assert.equal(await terminal.end(), 0);
    assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), `ZOOM_CLIENT_SECRET=${ZOOM_CLIENT_SECRET}\n`);
  });

  it(
    'is not asked about where the environment decides all of it, or nothing typed would help',
    inTerminal,
    async () => {
      const server = await ownStandIn();
      const all = new Terminal({ env: configured(server, { ZOOM_CLIENT_SECRET: 'wrong' }) });
      assert.equal(await all.end(), 1);
      assert.ok(all.screen.endsWith('\nchange or unset ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET.\n'), all.screen);
      const byAdmin = await ownStandIn((response) =>
        json(response, 400, { message: 'The token is disabled by admin.' }),
      );
      const cwd = folder();
      writeFileSync(join(cwd, '.env'), DOTENV);
      const helpless = new Terminal({ cwd, env: { ZOOM_HOST: byAdmin.url } });
      assert.equal(await helpless.end(), 1);
      assert.ok(helpless.screen.endsWith('\none has to allow it again.\n'), helpless.screen);
    },
  );

  it('is asked about in a terminal, until Zoom accepts; what is typed is saved in place', inTerminal, async () => {
    const cwd = folder();
    const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;
    const text = (id: string, secret: string) =>
      `# mine\nexport ZOOM_CLIENT_ID = ${id} # of the app\r\nPORT=1\nZOOM_CLIENT_SECRET: ${secret}# old\nZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}`;
    writeFileSync(join(cwd, '.env'), text('"wrong"', "'Quoted #1'"));
    const server = await ownStandIn();
    const terminal = new Terminal({ command: S2S, cwd, env: { ZOOM_HOST: server.url } });
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
    await terminal.see('ZOOM_ACCOUNT_ID is most likely wrong');
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
    await fails(server, 'HOST refused the connection.\nCheck the network, and a firewall or VPN in between.\n');
  });

  it('is told: a server that does not speak HTTP, or not TLS', async () => {
    const server = await tcp((socket) => socket.once('data', () => socket.end('220 mail.example ESMTP\r\n')));
    await fails(
      server,
      'The connection to HOST failed (HPE_INVALID_CONSTANT).\nCheck the network, and a firewall or VPN in between.\n',
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
        'If your company inspects TLS, NODE_EXTRA_CA_CERTS has to name a readable file with its CA.\n',
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
      const to = `${other.url}/oauth/token`;
      await fails(server, `HOST answered with a redirect to ${to} (${status}), which is not followed.\n${INTERCEPTED}`);
      assert.deepEqual([server.requests.length, other.requests.length], [1, 0]);
    });

  for (const [body, what] of [
    [PAGE, 'a web page'],
    ['Access denied', 'something that is not JSON'],
    ['', 'nothing'],
    ['["access_token"]', 'something that is not JSON'],
  ] as const)
    it(`is told: an answer that is not JSON: ${what}, ${body.length} bytes`, async () => {
      for (const status of [200, 300, 403, 407, ...(body === PAGE ? [408, 429] : [])]) {
        const server = await ownStandIn((response) => response.writeHead(status).end(body));
        await fails(server, `HOST answered with ${what} (status ${status}).\n${INTERCEPTED}`);
        assert.equal(server.requests.length, 1);
      }
    });

  it('is told: nothing has changed (304), which is no redirect', async () => {
    const server = await ownStandIn((response) => response.writeHead(304).end());
    await fails(server, `HOST answered with nothing (status 304).\n${INTERCEPTED}`);
  });

  it('is told: an answer that switches protocols', async () => {
    const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n';
    const server = await tcp((socket) => socket.once('data', () => socket.write(switching)));
    await fails(
      server,
      'The connection to HOST failed (closed without an answer).\nCheck the network, and a firewall or VPN in between.\n',
    );
  });

  it('is told at once, however hard its words are to clean', async () => {
    // What took Node 20 minutes to look through.
    for (const words of ['\x1b;#;#'.repeat(90_000), `\x1b${';#'.repeat(400_000)}`]) {
      const refusing = await ownStandIn((response) => json(response, 400, { reason: words }));
      const refusal = await run({ env: configured(refusing) });
      assertClean(refusal);
      assert.match(refusal.stderr, /^Zoom refused: /);
      const granting = await ownStandIn((response) => json(response, 200, { ...GRANTED, scope: words }));
      assert.equal((await run({ env: configured(granting) })).code, 0);
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
    const nasty = `\u001b[2J\u001b]0;title\u0007\u009b31m${ACCOUNT.ZOOM_CLIENT_SECRET.replace('In', 'I\u200bn')} Basic ${BASIC}\r\n\u202eend${'.'.repeat(999)}`;
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
      const { child, result } = start({ command: S2S, env: configured(server) });
      await once(server.server, 'connection');
      child.kill(signal);
      const { code, signal: by, stdout, stderr } = await result;
      assert.ok(code === status || by === signal, `${code} ${by}`);
      assert.deepEqual([stdout, stderr], ['', '']);
    });

    it(`ends a question, and the terminal is as it was: ${signal}`, inTerminal, async () => {
      const cwd = folder();
      const terminal = new Terminal({ command: S2S, cwd });
      await terminal.see('? ZOOM_ACCOUNT_ID ›');
      process.kill(terminal.pid, signal);
      assert.equal(await terminal.end(), status);
      assert.deepEqual(files(cwd), []);
    });

    it(
      `ends a question behind one whose answer was saved, and the terminal is as it was: ${signal}`,
      inTerminal,
      async () => {
        const { ZOOM_ACCOUNT_ID: _, ...rest } = ACCOUNT;
        const terminal = new Terminal({ env: { ...rest, ZOOM_HOST: (await ownStandIn()).url } });
        for (let nth = 1; nth <= 11; nth++) {
          await terminal.answer('ZOOM_ACCOUNT_ID', `wrong${nth}\r`);
          await terminal.see('Enter keeps a value.');
        }
        await terminal.see('? ZOOM_ACCOUNT_ID › wrong11');
        process.kill(terminal.pid, signal);
        assert.equal(await terminal.end(), status);
        assert.ok(!terminal.screen.includes('Warning'), terminal.screen);
      },
    );
  }

  for (const [name, status] of [
    ['INT', 130],
    ['HUP', 129],
  ] as const) {
    // The signal comes as the disk begins to take its time.
    const slowDisk = `strace --follow-forks --seccomp-bpf --trace=fsync --inject=fsync:signal=${name}:delay_exit=3000000`;
    const skip = lacking(`${slowDisk} true`);
    it(`in the middle of saving waits until .env is whole: SIG${name}`, { skip }, async () => {
      const server = await tcp(() => {});
      const cwd = folder();
      const spy = join(folder(), 'spy.cjs');
      const onSignal = `require('node:fs').writeFileSync('heard', String(require('node:fs').readdirSync('.')))`;
      writeFileSync(spy, `process.once('SIG${name}', () => ${onSignal})`);
      const command = [...slowDisk.split(' '), '--output=/dev/null', ...S2S_ALONE.toSpliced(1, 0, `--require=${spy}`)];
      const terminal = await typeAccountId(server, { cwd, command });
      assert.equal(await terminal.end(), status);
      assert.deepEqual(files(cwd), ['.env', 'heard']);
      assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), `ZOOM_ACCOUNT_ID=${ACCOUNT.ZOOM_ACCOUNT_ID}\n`);
      // tsx kills a process that does not react to a signal at once.
      assert.match(readFileSync(join(cwd, 'heard'), 'utf8'), /^\.env\.[^,]+$/, 'heard before .env was in its place');
    });
  }

  it('at any moment leaves .env whole and nothing beside it', inTerminal, async () => {
    const server = await tcp(() => {});
    const before = `KEEP=${'x'.repeat(100_000)}\nZOOM_ACCOUNT_ID=`;
    for (let delay = 0; delay < 60; delay += 6) {
      const cwd = folder();
      writeFileSync(join(cwd, '.env'), `${before}\n`);
      const terminal = await typeAccountId(server, { cwd });
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
