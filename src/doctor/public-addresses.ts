import { isIPv6 } from 'node:net';
import { cidrBlocks } from '../kit/net/cidr-blocks.ts';

/** What the special-purpose registries of IANA (RFC 6890, RFC 8190) call not globally reachable, and what is for groups (RFC 5771, RFC 4291). */
const unreachable = cidrBlocks([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
  ...['172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  ...['::/127', '64:ff9b:1::/48', '100::/64', '2001:2::/48', '2001:db8::/32', '3fff::/20'],
  ...['5f00::/16', 'fc00::/7', 'fe80::/10', 'ff00::/8'],
]);

/** Whether STS, which is outside of every network of yours, may reach an address; IPv4 in the notation of IPv6 is taken for what it is. */
export function isPublicAddress(address: string): boolean {
  return !unreachable.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
