import { BlockList, isIPv6 } from 'node:net';

/** Blocks such as `10.0.0.0/8`, already known to be well-formed, to look addresses up in. */
export function cidrBlocks(cidrs: readonly string[]): BlockList {
  const blocks = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', prefix = ''] = cidr.split('/');
    blocks.addSubnet(address, Number(prefix), isIPv6(address) ? 'ipv6' : 'ipv4');
  }
  return blocks;
}

/** Of two well-formed blocks: whether every address of the first is one of the second. */
export function isBlockWithin(inner: string, outer: string): boolean {
  const [address = '', prefix = ''] = inner.split('/');
  const [outerAddress = '', outerPrefix = ''] = outer.split('/');
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  if (isIPv6(outerAddress) !== isIPv6(address) || Number(prefix) < Number(outerPrefix))
    return false;
  return cidrBlocks([outer]).check(address, family);
}
