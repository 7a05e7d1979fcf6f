/** Connections through an HTTP proxy. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { ACCOUNT, TOKEN } from './mock-zoom.ts';
import { type Env, expectRun, run, withCredentials } from './script.ts';
import { ownMockZoom, ownTrustedMockZoom, startTcpServer } from './servers.ts';
import { isWindows, skipWithoutProxies, supportsProxies } from './skip.ts';

const needsProxies = { skip: skipWithoutProxies };
/** The name of HTTPS_PROXY in messages: on Windows it is the same variable as https_proxy, which is looked up first. */
const SHOWN = isWindows ? 'https_proxy' : 'HTTPS_PROXY';
const FORMAT = 'http://user:password@host:port, with the password percent-encoded.\n';

/** Starts a mock server for a Zoom host that can be reached only through a proxy, and starts that proxy. */
async function startBehindProxy(ZOOM_HOST: string) {
  const { port, NODE_EXTRA_CA_CERTS } = await ownTrustedMockZoom(ZOOM_HOST);
  const tunnels: string[] = [];
  const { host } = await startTcpServer((socket) =>
    socket.once('data', (head) => {
      const [, to, basic = ''] = /^CONNECT (\S+)(?:[^]*Proxy-Authorization: Basic (\S+))?/i.exec(`${head}`) ?? [];
      tunnels.push(`${to} ${atob(basic)}`);
      const zoom = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'));
      zoom.on('error', () => {}).pipe(socket);
      socket.pipe(zoom);
    }),
  );
  const env: Env = { ...ACCOUNT, ZOOM_HOST, NODE_EXTRA_CA_CERTS };
  return { tunnels, proxy: host, env };
}

describe('the script with a proxy', { concurrency: 4 }, () => {
  it('connects through the proxy, except to the hosts in NO_PROXY', needsProxies, async () => {
    const { tunnels, proxy, env } = await startBehindProxy('zoom.us');
    const HTTPS_PROXY = `http://${proxy}`;
    const cases: { variables: Env; user?: string; isBypassed?: boolean }[] = [
      { variables: { HTTPS_PROXY: ` \thttp://${proxy}/ \r` } },
      { variables: { HTTPS_PROXY: `user:PaSsWoRd@${proxy}` }, user: 'user:PaSsWoRd' },
      { variables: { HTTPS_PROXY: `http://user:P%23%2F%3Fs%25d@${proxy}` }, user: 'user:P#/?s%d' },
      { variables: { HTTPS_PROXY: `http://user:P@ s@${proxy}` }, user: 'user:P@ s' },
      { variables: { HTTPS_PROXY, NO_PROXY: 'oom.us,zoom.us.example, us.,' } },
      { variables: { HTTPS_PROXY, NO_PROXY: 'ZOOM.us:443' }, isBypassed: true },
      { variables: { HTTPS_PROXY, no_proxy: ' a.example .us,b.example' }, isBypassed: true },
      { variables: { HTTPS_PROXY, NO_PROXY: '*' }, isBypassed: true },
    ];
    // On Windows, upper and lower case name the same variable.
    if (!isWindows) {
      cases.push({ variables: { https_proxy: proxy, HTTPS_PROXY: 'http://127.0.0.1:1' } });
      cases.push({ variables: { https_proxy: ' ', HTTPS_PROXY, no_proxy: 'a.example', NO_PROXY: 'zoom.us' } });
    }
    for (const { variables, user = '', isBypassed } of cases) {
      const { stdout } = await run({ args: ['--token'], env: { ...env, ...variables } });
      const expected = isBypassed ? [''] : [`${TOKEN}\n`, `zoom.us:443 ${user}`];
      assert.deepEqual([variables, stdout, ...tunnels.splice(0)], [variables, ...expected]);
    }
  });

  it('does not use the proxy for http', async () => {
    const env = withCredentials(await ownMockZoom(), { HTTPS_PROXY: 'http://127.0.0.1:1' });
    expectRun(await run({ args: ['--token'], env }), { code: 0, stdout: `${TOKEN}\n`, stderr: '' });
  });

  it('says what to check if the proxy fails, without showing its password', needsProxies, async () => {
    const { host } = await startTcpServer((socket) => socket.once('data', () => socket.end('HTTP/1.1 407 No\r\n\r\n')));
    const required = 'The proxy requires a user name and password.\n';
    for (const { proxy, problem, cause = '', variable = SHOWN } of [
      { proxy: host, problem: 'ERR_PROXY_TUNNEL, status 407', cause: required },
      { proxy: '127.0.0.1:1', problem: 'ECONNREFUSED', variable: 'https_proxy' },
      { proxy: 'proxy.example:8080', problem: 'ENOTFOUND' },
    ]) {
      const advice = `Check ${variable} (${proxy}) and NO_PROXY. The format is ${FORMAT}`;
      const result = await run({ env: { ...ACCOUNT, [variable]: `http://u:PaSsWoRd@${proxy}` } });
      expectRun(result, { code: 1, stdout: '', stderr: `Cannot reach zoom.us (${problem}).\n${cause}${advice}` });
    }
  });

  it('explains what is wrong with the certificate of a proxy', needsProxies, async () => {
    const { port, NODE_EXTRA_CA_CERTS } = await ownTrustedMockZoom('proxy.example');
    for (const { env, code } of [
      { env: {}, code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
      { env: { NODE_EXTRA_CA_CERTS }, code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    ]) {
      const result = await run({ env: { ...ACCOUNT, HTTPS_PROXY: `https://localhost:${port}`, ...env } });
      const [problem, ...advice] = result.stderr.split('\n');
      assert.equal(problem, `Cannot reach zoom.us (${code}).`);
      assert.match(advice.join('\n'), /^Its certificate .* Your credentials were not sent\.\n$/);
    }
  });

  const skip = supportsProxies && `Node ${process.version} supports proxies`;
  it('says which versions of Node support proxies', { skip }, async () => {
    const stderr = 'Cannot reach zoom.us (ENOTFOUND).\nhttps_proxy needs Node 22.21+ or 24.5+.\n';
    expectRun(await run({ env: { ...ACCOUNT, https_proxy: 'http://127.0.0.1:1' } }), { code: 1, stdout: '', stderr });
  });

  const unusable = ['socks5://u:PaSs@127.0.0.1:1', 'u:PaSs://@127.0.0.1:1', 'http://', '::', 'http://u:PaSs@'];
  const unencoded = ['#', '/', '?', '\\', '%', '%zz'].map((text) => `u:12${text}WoRd@127.0.0.1:1`);
  for (const HTTPS_PROXY of [...unusable, ...unencoded])
    it(`refuses a proxy's URL that it cannot use, and shows nothing of it: ${HTTPS_PROXY}`, needsProxies, async () => {
      const stderr = `${SHOWN} is not the URL of an HTTP proxy.\nSet it to ${FORMAT}`;
      expectRun(await run({ env: { ...ACCOUNT, HTTPS_PROXY } }), { code: 2, stdout: '', stderr });
    });
});
