/** Starts servers on loopback for tests, which end with the test or the suite that started them. */

import { once } from 'node:events';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { type CertificateOptions, type Handler, type Tls, createCertificate, startMockZoom } from './mock-zoom.ts';
import { folder } from './script.ts';

/** Starts a mock server for all tests of the current suite. */
export function sharedMockZoom(): { readonly url: string } {
  let server: Awaited<ReturnType<typeof startMockZoom>> | undefined;
  before(async () => (server = await startMockZoom()));
  after(() => server?.close());
  return {
    get url() {
      return server!.url;
    },
  };
}

/** Starts a mock server for the current test. */
export async function ownMockZoom(handler?: Handler, tls?: Tls) {
  const server = await startMockZoom(handler, tls);
  after(() => server.close());
  return server;
}

/** Starts a mock server over TLS for the current test. NODE_EXTRA_CA_CERTS is a file with its certificate. */
export async function ownTrustedMockZoom(host: string, options?: CertificateOptions) {
  const tls = await createCertificate(host, options);
  const NODE_EXTRA_CA_CERTS = join(folder({ 'ca.pem': tls.cert }), 'ca.pem');
  return { ...(await ownMockZoom(undefined, tls)), NODE_EXTRA_CA_CERTS };
}

/** Starts a TCP server for the current test. */
export async function startTcpServer(onConnection: (socket: Socket) => void = () => {}) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    onConnection(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  after(() => {
    server.close();
    sockets.forEach((socket) => socket.destroy());
  });
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  return { url: `http://${host}`, host, port, server };
}
