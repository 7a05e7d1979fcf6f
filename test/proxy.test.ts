/** Connections through an HTTP proxy. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, describe, it } from 'node:test';
import {
  type Env,
  expectRun,
  folder,
  noProxies,
  ownMockZoom,
  ownTrustedMockZoom,
  run,
  supportsProxies,
  withCredentials,
} from './helpers.ts';
import { ACCOUNT, TOKEN, type Tls, createCertificate } from './mock-zoom.ts';

const NOT_FOUND = 'Cannot resolve zoom.us (ENOTFOUND).\n';
/** The name of HTTPS_PROXY in messages: on Windows it is the same variable as https_proxy, which is looked up first. */
const SHOWN = process.platform === 'win32' ? 'https_proxy' : 'HTTPS_PROXY';
const CHECK_PROXY = `Check ${SHOWN}, NO_PROXY, your VPN, and your firewall.\n`;
const needsProxies = { skip: noProxies };

/** Starts a proxy for the current test, over TLS if there is a certificate, and returns its address. */
async function startProxy(
  onConnect: (request: http.IncomingMessage, socket: Duplex) => void,
  tls?: Tls,
): Promise<string> {
  const proxy = (tls ? https.createServer(tls) : http.createServer()).on('connect', onConnect);
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  after(() => proxy.close());
  return `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

/** Starts a mock server for a Zoom host that can be reached only through a proxy, and starts that proxy. */
async function startBehindProxy(host: string, tls?: Tls) {
  const zoom = await ownTrustedMockZoom(host);
  const destinations: string[] = [];
  const address = await startProxy((request, socket) => {
    destinations.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
    const tunnel = connect(zoom.port, '127.0.0.1', () => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'));
    tunnel.on('error', () => {}).pipe(socket.on('error', () => {})).pipe(tunnel); // prettier-ignore
  }, tls);
  const env: Env = { ...ACCOUNT, ZOOM_HOST: host, NODE_EXTRA_CA_CERTS: zoom.NODE_EXTRA_CA_CERTS };
  return { zoom, destinations, address, env };
}

describe('the script with a proxy', { concurrency: 4 }, () => {
  it('connects through the proxy in HTTPS_PROXY or https_proxy', needsProxies, async () => {
    const { zoom, destinations, address, env } = await startBehindProxy('zoom.us');
    const proxies = [
      { proxy: { HTTPS_PROXY: `http://${address}` } },
      // On Windows, both names refer to the same variable.
      ...(process.platform === 'win32'
        ? []
        : [
            { proxy: { https_proxy: address, HTTPS_PROXY: 'http://127.0.0.1:1' } },
            { proxy: { https_proxy: ' ', HTTPS_PROXY: address } },
          ]),
      { proxy: { HTTPS_PROXY: ` \thttp://${address}/ \r` } },
      { proxy: { HTTPS_PROXY: `user:PaSsWoRd@${address}`, NO_PROXY: 'example.com' }, user: 'user:PaSsWoRd' },
      { proxy: { HTTPS_PROXY: `http://user:P%23%2F%3Fs%25d@${address}` }, user: 'user:P#/?s%d' },
      { proxy: { HTTPS_PROXY: `http://user:P@ s@${address}` }, user: 'user:P@ s' },
    ];
    for (const { proxy, user } of proxies) {
      const result = await run({ args: ['--token'], env: { ...env, ...proxy } });
      expectRun(result, { code: 0, stdout: `${TOKEN}\n`, stderr: '' });
      assert.equal(destinations.pop(), `zoom.us:443${user ? ` Basic ${btoa(user)}` : ''}`);
    }
    assert.equal(zoom.requests.length, proxies.length);
  });

  it('bypasses the proxy for hosts in NO_PROXY and for http', needsProxies, async () => {
    const { destinations, address, env } = await startBehindProxy('zoom.us');
    const HTTPS_PROXY = `http://${address}`;
    for (const exceptions of [
      { NO_PROXY: 'ZOOM.us:443' },
      { no_proxy: 'a.example .us,b.example' },
      { NO_PROXY: '*' },
    ]) {
      const stderr = NOT_FOUND + CHECK_PROXY;
      expectRun(await run({ env: { ...env, HTTPS_PROXY, ...exceptions } }), { code: 1, stderr });
    }
    const overHttp = withCredentials(await ownMockZoom(), { HTTPS_PROXY, HTTP_PROXY: HTTPS_PROXY });
    expectRun(await run({ args: ['--token'], env: overHttp }), { stdout: `${TOKEN}\n` });
    assert.deepEqual(destinations, []);
    await run({ env: { ...env, HTTPS_PROXY, NO_PROXY: 'oom.us,zoom.us.example, us.,' } });
    assert.deepEqual(destinations, ['zoom.us:443'], 'similar names are not exceptions');
  });

  it('links to the marketplace of Zoom for Government after a rejection', needsProxies, async () => {
    const { address, env } = await startBehindProxy('zoomgov.com');
    const wrong = { HTTPS_PROXY: `http://${address}`, ZOOM_CLIENT_SECRET: 'wrong' };
    const { stderr } = await run({ env: { ...env, ...wrong } });
    assert.match(stderr, /https:\/\/marketplace\.zoomgov\.com\//);
    assert.doesNotMatch(stderr, /zoom\.us/);
  });

  it('reports a failing proxy without showing its password', needsProxies, async () => {
    const rejecting = await startProxy((_, socket) => socket.end('HTTP/1.1 407 Who are you\r\n\r\n'));
    for (const { address, problem } of [
      { address: rejecting, problem: 'Cannot connect to zoom.us (ERR_PROXY_TUNNEL, status 407).' },
      { address: '127.0.0.1:1', problem: 'Cannot connect to 127.0.0.1:1 (ECONNREFUSED).' },
      { address: 'proxy.example:8080', problem: 'Cannot resolve proxy.example (ENOTFOUND).' },
    ]) {
      const result = await run({ env: { ...ACCOUNT, HTTPS_PROXY: `http://u:PaSsWoRd@${address}` } });
      expectRun(result, { code: 1, stdout: '', stderr: `${problem}\n${CHECK_PROXY}` });
    }
  });

  for (const { name, host, isTrusted, owner } of [
    { name: "the proxy's, which is not trusted", host: 'localhost', isTrusted: false, owner: 'the proxy HOST' },
    { name: "the proxy's, for another host", host: 'proxy.example', isTrusted: true, owner: 'the proxy HOST' },
    { name: "Zoom's, which is not trusted", host: 'localhost', isTrusted: true, owner: 'zoom.us' },
  ])
    it(`says whose certificate is wrong: ${name}`, needsProxies, async () => {
      const tls = await createCertificate(host);
      const { address, env, zoom } = await startBehindProxy('zoom.us', tls);
      const proxy = address.replace('127.0.0.1', 'localhost');
      const NODE_EXTRA_CA_CERTS = isTrusted ? join(folder({ 'ca.pem': tls.cert }), 'ca.pem') : undefined;
      const result = await run({ env: { ...env, HTTPS_PROXY: `https://${proxy}`, NODE_EXTRA_CA_CERTS } });
      const stderr = new RegExp(`^The certificate of ${owner.replace('HOST', proxy)} `);
      expectRun(result, { code: 1, stdout: '', stderr });
      assert.equal(zoom.requests.length, 0);
    });

  const needsNodeWithoutProxies = { skip: supportsProxies && `Node ${process.version} supports proxies` };
  it('says which versions of Node support proxies', needsNodeWithoutProxies, async () => {
    const hint = 'https_proxy needs Node 22.21+ or 24.5+.\n';
    const result = await run({ env: { ...ACCOUNT, https_proxy: 'http://127.0.0.1:1' } });
    expectRun(result, { code: 1, stderr: NOT_FOUND + hint });
  });

  for (const { HTTPS_PROXY, skip = false } of [
    { HTTPS_PROXY: 'socks5://u:PaSsWoRd@127.0.0.1:1080' },
    { HTTPS_PROXY: 'http://' },
    { HTTPS_PROXY: '::' },
    { HTTPS_PROXY: 'http://u:PaSsWoRd@' },
    { HTTPS_PROXY: 'http://u:PaSsWoRd@proxy example' },
    { HTTPS_PROXY: 'u:PaSs://WoRd@127.0.0.1:1' },
    ...['#', '/', '?', '\\'].flatMap((char) => [
      { HTTPS_PROXY: `http://u:PaSs${char}WoRd@127.0.0.1:1` },
      { HTTPS_PROXY: `u:12${char}WoRd@127.0.0.1:1` },
    ]),
    ...['%', '%zz'].map((text) => ({ HTTPS_PROXY: `http://u:PaSsWoRd${text}@127.0.0.1:1`, skip: noProxies })),
  ])
    it(`rejects an invalid proxy URL, and shows no piece of it: ${HTTPS_PROXY}`, { skip }, async () => {
      const stderr =
        `${SHOWN} is not an HTTP proxy URL.\n` +
        'Set it to http://[user:password@]host:port, with the password percent-encoded.\n';
      expectRun(await run({ env: { ...ACCOUNT, HTTPS_PROXY } }), { code: 2, stdout: '', stderr });
    });
});
