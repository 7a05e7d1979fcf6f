/** The connection through an HTTP proxy. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { after, describe, it } from 'node:test';
import { type Env, expectRun, ownMockZoom, ownTrustedMockZoom, run, withCredentials } from './helpers.ts';
import { ACCOUNT, TOKEN } from './mock-zoom.ts';

const NOT_FOUND = 'The name of zoom.us is not found (ENOTFOUND).\n';
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const hasProxies = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
const needsProxies = { skip: !hasProxies && `Node ${process.version} does not support proxies` };

/** Starts a proxy for the current test and returns its address. */
async function startProxy(onConnect: (request: http.IncomingMessage, socket: Duplex) => void): Promise<string> {
  const proxy = http.createServer().on('connect', onConnect);
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  after(() => proxy.close());
  return `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

/** Starts a mock server for a host of Zoom's that is reachable only through a proxy, and this proxy. */
async function startBehindProxy(host: string) {
  const zoom = await ownTrustedMockZoom(host);
  const destinations: string[] = [];
  const address = await startProxy((request, socket) => {
    destinations.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
    const tunnel = connect(zoom.port, '127.0.0.1', () => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'));
    tunnel.on('error', () => {}).pipe(socket.on('error', () => {})).pipe(tunnel); // prettier-ignore
  });
  const env: Env = { ...ACCOUNT, ZOOM_HOST: host, NODE_EXTRA_CA_CERTS: zoom.NODE_EXTRA_CA_CERTS };
  return { zoom, destinations, address, env };
}

describe('a proxy', { concurrency: 4 }, () => {
  it('connects through the proxy in HTTPS_PROXY or https_proxy', needsProxies, async () => {
    const { zoom, destinations, address, env } = await startBehindProxy('zoom.us');
    for (const proxy of [
      { HTTPS_PROXY: `http://${address}` },
      { https_proxy: address, HTTPS_PROXY: 'http://127.0.0.1:1' },
      { HTTPS_PROXY: `http://user:PaSsWoRd@${address}`, NO_PROXY: 'example.com' },
    ]) {
      const result = await run({ args: ['--token'], env: { ...env, ...proxy } });
      expectRun(result, { code: 0, stdout: `${TOKEN}\n`, stderr: '' });
    }
    assert.deepEqual(destinations, ['zoom.us:443', 'zoom.us:443', `zoom.us:443 Basic ${btoa('user:PaSsWoRd')}`]);
    assert.equal(zoom.requests.length, 3);
  });

  it('bypasses the proxy for hosts in NO_PROXY and for http', needsProxies, async () => {
    const { destinations, address, env } = await startBehindProxy('zoom.us');
    const HTTPS_PROXY = `http://${address}`;
    for (const exceptions of [
      { NO_PROXY: 'ZOOM.us:443' },
      { no_proxy: 'a.example .us,b.example' },
      { NO_PROXY: '*' },
    ]) {
      const stderr = `${NOT_FOUND}Check the network, and a firewall or VPN in between.\n`;
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

  it('names a failing proxy without its password', needsProxies, async () => {
    const rejecting = await startProxy((_, socket) => socket.end('HTTP/1.1 407 Who are you\r\n\r\n'));
    for (const { address, problem } of [
      {
        address: rejecting,
        problem: `The connection to HTTPS_PROXY (${rejecting}) failed (ERR_PROXY_TUNNEL, status 407).`,
      },
      { address: '127.0.0.1:1', problem: 'HTTPS_PROXY (127.0.0.1:1) refused the connection.' },
      {
        address: 'proxy.example:8080',
        problem: 'The name of HTTPS_PROXY (proxy.example:8080) is not found (ENOTFOUND).',
      },
    ]) {
      const result = await run({ env: { ...ACCOUNT, HTTPS_PROXY: `http://u:PaSsWoRd@${address}` } });
      const stderr = `${problem}\nCheck HTTPS_PROXY, or name zoom.us in NO_PROXY.\n`;
      expectRun(result, { code: 1, stdout: '', stderr });
    }
  });

  const lacksProxies = { skip: hasProxies && `Node ${process.version} supports proxies` };
  it('says which versions of Node support proxies', lacksProxies, async () => {
    const hint = `https_proxy takes effect only from Node 22.21 and 24.5 on: this is ${process.version}.\n`;
    const result = await run({ env: { ...ACCOUNT, https_proxy: 'http://127.0.0.1:1' } });
    expectRun(result, { code: 1, stderr: NOT_FOUND + hint });
  });

  for (const HTTPS_PROXY of ['socks5://127.0.0.1:1080', 'http://', '::'])
    it(`rejects an invalid proxy URL without a request: ${HTTPS_PROXY}`, async () => {
      const stderr = 'HTTPS_PROXY is not the URL of an HTTP proxy:\nset it to http://host:port, or unset it.\n';
      expectRun(await run({ env: { ...ACCOUNT, HTTPS_PROXY } }), { code: 2, stdout: '', stderr });
    });
});
