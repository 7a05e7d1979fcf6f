/**
 * Preloaded into every Node process whose environment script.ts makes: blocks lookups and connections beyond loopback.
 * If $S2S_DESTINATIONS names a file, blocks all connections and appends their destinations to it, one per line.
 */
'use strict';
const dns = require('node:dns');
const { appendFileSync } = require('node:fs');
const net = require('node:net');

const isLoopback = (host) => /^(localhost|127(\.\d+){3}|::1)$/.test(host);

const { lookup } = dns;
dns.lookup = (hostname, options, callback) => {
  if (isLoopback(hostname)) return lookup(hostname, options, callback);
  const error = new Error(`getaddrinfo ENOTFOUND ${hostname}`);
  return process.nextTick(callback, Object.assign(error, { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname }));
};

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  const { host, port } = Array.isArray(args[0]) ? args[0][0] : args[0];
  const log = process.env.S2S_DESTINATIONS;
  if (port && log) appendFileSync(log, `${this.encrypted ? 'tls' : 'tcp'} ${host}:${port}\n`);
  if (port && (log || (net.isIP(host) && !isLoopback(host)))) {
    const error = new Error(`connect ENETUNREACH ${host}`);
    process.nextTick(() => this.destroy(Object.assign(error, { code: 'ENETUNREACH' })));
    return this;
  }
  return connect.apply(this, args);
};
