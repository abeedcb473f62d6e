/** The listeners, what they take, and how much of it. */

import { z } from 'zod';
import { distinctList } from '../../kit/json/distinct-list.ts';
import { cidr, path, port, rate } from './values.ts';

const tls = z.strictObject({
  certFile: path.describe('PEM file with the certificate chain.'),
  keyFile: path.describe('PEM file with the private key.'),
});

function listener(defaultPort: number) {
  return z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
      port: port.default(defaultPort).describe('TCP port; 0 takes a free one.'),
      tls: tls
        .optional()
        .describe('Serve HTTPS with this certificate; without it the listener speaks HTTP.'),
      tlsTerminatedUpstream: z
        .boolean()
        .default(false)
        .describe(
          'States that something in front terminates TLS, so that plain HTTP is meant here.',
        ),
      maxConnections: z
        .int()
        .min(1)
        .default(10_000)
        .describe('Connections beyond this number are closed at once.'),
    })
    .prefault({});
}

export const listenerNames = ['api', 'admin', 'ops', 'identity'] as const;

export const listeners = z
  .strictObject({
    api: listener(8080),
    admin: listener(8081),
    ops: listener(9090),
    identity: listener(8082),
  })
  .prefault({});

export const http = z
  .strictObject({
    allowedHosts: distinctList(z.string().min(1))
      .default([])
      .describe('Host names that the api listener answers for; empty accepts any.'),
    trustedProxies: distinctList(cidr)
      .default([])
      .describe(
        'Networks whose X-Forwarded-For header is believed: those of the proxies alone, never of callers.',
      ),
    maxBodyBytes: z.int().min(256).max(1_048_576).default(16_384).describe('Largest request body.'),
    drainSeconds: z
      .number()
      .min(0)
      .max(60)
      .default(5)
      .describe(
        'After SIGTERM, how long requests are still accepted while readiness already fails.',
      ),
    shutdownSeconds: z
      .number()
      .min(1)
      .max(120)
      .default(10)
      .describe('After draining, how long requests in flight may take.'),
  })
  .prefault({});

export const limits = z
  .strictObject({
    perCaller: rate(100, 1000, 'Requests of one caller'),
    failedTokensPerAddress: rate(10, 100, 'Refused tokens from one address'),
    addressBitsIpv4: z
      .int()
      .min(8)
      .max(32)
      .default(32)
      .describe(
        'Leading bits of an IPv4 address that tell apart whose refused tokens count together.',
      ),
    addressBitsIpv6: z
      .int()
      .min(32)
      .max(128)
      .default(64)
      .describe('The same of an IPv6 address; 128 inside a network in which many share a /64.'),
    maxInFlight: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(10_000)
      .describe('Requests being answered at once on the api listener.'),
    maxEventLoopDelayMs: z
      .int()
      .min(10)
      .max(10_000)
      .default(200)
      .describe('Delay of the event loop beyond which some requests are refused unread.'),
  })
  .prefault({});
