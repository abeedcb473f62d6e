/** Which address a request came from, when proxies may stand in between. */

import { isIP, isIPv6 } from 'node:net';
import { cidrBlocks } from '../core/cidr-blocks.ts';
import { BrokerError } from '../core/errors.ts';

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
 * X-Forwarded-For counts only when the peer is a trusted proxy, and then from the right up to the first
 * address that is not one: what is further left was written by whoever sent the request.
 */
export function clientIp(trustedProxies: readonly string[]): ClientIp {
  const trusted = cidrBlocks(trustedProxies);
  const isTrusted = (address: string) => trusted.check(address, familyOf(address));

  return (peer, forwardedFor) => {
    // The connection is already gone: nobody is left to answer.
    if (peer === undefined) throw new BrokerError('request_malformed');
    const peerIp = plainAddress(peer);
    const believed = forwardedFor !== undefined && isTrusted(peerIp);
    // Admission refuses a request whose field is not a list of addresses.
    const sourceIp = believed ? lastUntrusted(forwardedFor, isTrusted) : undefined;
    return { sourceIp: sourceIp ?? peerIp, peerIp };
  };
}

function lastUntrusted(
  forwardedFor: string,
  isTrusted: (address: string) => boolean,
): string | undefined {
  const addresses = forwardedAddresses(forwardedFor);
  return addresses?.findLast((address) => !isTrusted(address)) ?? addresses?.[0];
}

/** The addresses in X-Forwarded-For, or undefined if something else stands there. */
export function forwardedAddresses(forwardedFor: string): readonly string[] | undefined {
  const addresses = forwardedFor.split(',').map((entry) => plainAddress(entry.trim()));
  return addresses.every((address) => isIP(address) !== 0) ? addresses : undefined;
}

/** IPv4 addresses that arrive on a dual-stack socket are written as IPv6 ones. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
