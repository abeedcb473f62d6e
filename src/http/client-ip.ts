/** Which address a request came from, when proxies may stand in between. */

import { isIP, isIPv6, SocketAddress } from 'node:net';
import { BrokerError } from '../core/errors.ts';
import { cidrBlocks } from '../kit/net/cidr-blocks.ts';

export interface ClientAddress {
  /** What the request is judged by. */
  readonly sourceIp: string;
  /** The socket's other end. */
  readonly peerIp: string;
}

export type ClientIp = (
  peer: string | undefined,
  forwardedFor: string | undefined,
) => ClientAddress;

/**
 * X-Forwarded-For counts only when the peer is a trusted proxy, and then from the right: the nearest address that is
 * not a trusted proxy's, for what is further left was written by whoever sent the request. Where there is none, or
 * something that is no address comes before it (RFC 7239 section 6: `unknown`, `_hidden`), the peer is all that is
 * known.
 */
export function clientIp(trustedProxies: readonly string[]): ClientIp {
  const trusted = cidrBlocks(trustedProxies);
  const isTrusted = (address: string) => trusted.check(address, familyOf(address));

  return (peer, forwardedFor) => {
    // The connection is already gone: nobody is left to answer.
    if (peer === undefined) throw new BrokerError('request_malformed');
    const peerIp = plainAddress(peer);
    const believed = forwardedFor !== undefined && isTrusted(peerIp);
    const sourceIp = believed ? nearestStranger(forwardedFor, isTrusted) : undefined;
    return { sourceIp: sourceIp ?? peerIp, peerIp };
  };
}

function nearestStranger(
  forwardedFor: string,
  isTrusted: (address: string) => boolean,
): string | undefined {
  // Empty items of a list do not count (RFC 9110 section 5.6.1).
  const items = forwardedFor.split(',').map((item) => item.trim());
  const nearest = items.findLast((item) => {
    const address = addressIn(item);
    return item !== '' && (address === undefined || !isTrusted(address));
  });
  return addressIn(nearest ?? '');
}

/** An address as proxies write it: with a port or without, an IPv6 one in brackets or not. */
const addressAndPort = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<v4>[0-9.]+))(?::\d{1,5})?$/;

function addressIn(item: string): string | undefined {
  const { v6, v4 } = addressAndPort.exec(item)?.groups ?? {};
  const address = v6 ?? v4 ?? item;
  if (isIP(address) !== (v4 === undefined ? 6 : 4) || address.includes('%')) return undefined;
  return plainAddress(address);
}

/** IPv4 addresses that arrive on a dual-stack socket are written as IPv6 ones; every address in one spelling. */
function plainAddress(address: string): string {
  if (!address.includes(':') || address.includes('%')) return address;
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address;
  return canonical.startsWith('::ffff:') && canonical.includes('.')
    ? canonical.slice('::ffff:'.length)
    : canonical;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
