import { type BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { cidrBlocks, isBlockWithin } from '../../../kit/net/cidr-blocks.ts';
import { type Effect, requestCondition } from './condition.ts';

const cidr = z.union([z.cidrv4(), z.cidrv6()], { error: 'must be an IPv4 or IPv6 CIDR block' });

export const sourceCidrs = requestCondition({
  schema: z.array(cidr).min(1).max(50),
  description: 'The address of the caller is in one of the blocks.',
  reason: 'source_outside',
  reasonMeaning: 'the request came from outside `sourceCidrs`',
  onDeny: { kind: 'sees_everybody' },
  narrows: (from, to) => to.every((inner) => from.some((outer) => isBlockWithin(inner, outer))),
  compile(cidrs, effect) {
    const blocks = cidrBlocks(cidrs);
    return [
      {
        pointer: '',
        holds: ({ sourceIp }) => isInside(blocks, sourceIp, effect),
        expected: cidrs,
        actual: ({ sourceIp }) => sourceIp,
      },
    ];
  },
});

function isInside(blocks: BlockList, sourceIp: string, effect: Effect): boolean {
  // Link-local addresses come with a zone (RFC 4007 section 11), which no block has.
  const [address = ''] = sourceIp.split('%', 1);
  const family = isIP(address);
  // What is no address is outside for an allow, but must not slip past a deny.
  if (family === 0) return effect === 'deny';
  return blocks.check(address, family === 6 ? 'ipv6' : 'ipv4');
}
