import { SocketAddress } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addressBlock } from '../../../src/kit/net/address-block.ts';
import { runs } from '../../support/fuzz-budget.ts';

describe('the block that an address is counted by', () => {
  it('is an IPv4 address itself', () => {
    expect(addressBlock('192.0.2.17')).toBe('192.0.2.17');
  });

  it.each([
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8::3:4:5:6:7', '2001:db8:0:3::/64'],
    ['::2', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
  ])('is the /64 of %s, however it is written', (address, block) => {
    expect(addressBlock(address)).toBe(block);
  });

  it.each([
    ['192.0.2.17', { ipv4: 24, ipv6: 64 }, '192.0.2.0/24'],
    ['192.0.2.17', { ipv4: 28, ipv6: 64 }, '192.0.2.16/28'],
    ['255.255.255.255', { ipv4: 8, ipv6: 64 }, '255.0.0.0/8'],
    ['2001:db8:1:2:3:4:5:6', { ipv4: 32, ipv6: 128 }, '2001:db8:1:2:3:4:5:6/128'],
    ['2001:db8:1:2:3:4:5:6', { ipv4: 32, ipv6: 56 }, '2001:db8:1:0::/56'],
    ['2001:db8:1:2ff::6', { ipv4: 32, ipv6: 56 }, '2001:db8:1:200::/56'],
    ['::2', { ipv4: 32, ipv6: 32 }, '0:0::/32'],
  ])('is as wide as it is told: %s by %j', (address, bits, block) => {
    expect(addressBlock(address, bits)).toBe(block);
  });

  it.each([
    // On a dual-stack socket, and behind a translator with the well-known prefix: the IPv4 host itself.
    ['::ffff:192.0.2.17', '192.0.2.17', '192.0.2.16/28'],
    ['::FFFF:c000:0211', '192.0.2.17', '192.0.2.16/28'],
    ['0:0:0:0:0:ffff:192.0.2.17', '192.0.2.17', '192.0.2.16/28'],
    ['64:ff9b::192.0.2.17', '192.0.2.17', '192.0.2.16/28'],
    ['64:FF9B::c000:211', '192.0.2.17', '192.0.2.16/28'],
    ['0064:ff9b:0:0:0:0:c000:0211', '192.0.2.17', '192.0.2.16/28'],
    // Only like them: counted as what they are.
    ['::192.0.2.17', '0:0:0:0::/64', '0:0:0:0:0:0:c000:210/124'],
    ['::c000:211', '0:0:0:0::/64', '0:0:0:0:0:0:c000:210/124'],
    ['::10', '0:0:0:0::/64', '0:0:0:0:0:0:0:10/124'],
    ['::ffff:0:192.0.2.17', '0:0:0:0::/64', '0:0:0:0:ffff:0:c000:210/124'],
    ['64:ff9b:1::192.0.2.17', '64:ff9b:1:0::/64', '64:ff9b:1:0:0:0:c000:210/124'],
    ['64:ff9b::1:192.0.2.17', '64:ff9b:0:0::/64', '64:ff9b:0:0:0:1:c000:210/124'],
    ['64:ff9c::192.0.2.17', '64:ff9c:0:0::/64', '64:ff9c:0:0:0:0:c000:210/124'],
    // This machine, which shares nothing with whoever makes up an address of its /64.
    ['::1', '::1/128', '::1/128'],
    ['0:0:0:0:0:0:0:1', '::1/128', '::1/128'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64', 'fe80:0:0:0:0:0:0:0/124'],
  ])('is the same for one host and no other: %s (T244)', (address, block, narrow) => {
    expect(addressBlock(address)).toBe(block);
    expect(addressBlock(address, { ipv4: 28, ipv6: 124 })).toBe(narrow);
  });

  const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
  const hex = (group: number) => group.toString(16);
  const dotted = (high = 0, low = 0) => [high >> 8, high & 255, low >> 8, low & 255].join('.');
  /** RFC 4291 section 2.2: with all zeros, without, with the last two as an IPv4 address, in capitals. */
  const spellings = (of: readonly number[]) => {
    const whole = of.map(hex).join(':');
    const tail = dotted(of[6], of[7]);
    const shortest = new SocketAddress({ address: whole, family: 'ipv6' }).address;
    const padded = of.map((group) => hex(group).padStart(4, '0')).join(':');
    const mixed = `${of.slice(0, 6).map(hex).join(':')}:${tail}`;
    return [whole, padded, mixed, shortest, whole.toUpperCase(), shortest.toUpperCase()];
  };

  it('is one for all spellings of an address, and another for what differs in its bits (T244)', () => {
    const sparse = fc.tuple(groups, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }));
    const property = fc.property(sparse, fc.integer({ min: 32, max: 128 }), ([of, kept], ipv6) => {
      const address = of.map((group, index) => (kept[index] === true ? group : 0));
      const bits = { ipv4: 32, ipv6 };
      const blocks = new Set(spellings(address).map((text) => addressBlock(text, bits)));
      expect([...blocks]).toHaveLength(1);
      const at = (ipv6 - 1) >> 4;
      // The last bit that counts.
      const other = address.map((group, index) =>
        index === at ? group ^ (1 << (15 - ((ipv6 - 1) & 15))) : group,
      );
      expect(blocks.has(addressBlock(other.map(hex).join(':'), bits))).toBe(false);
    });
    fc.assert(property, runs(1_000));
  });

  it('is that of the IPv4 address, however it is seen through IPv6 (T244)', () => {
    const octets = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
    const property = fc.property(octets, fc.integer({ min: 8, max: 32 }), (of, ipv4) => {
      const [a = 0, b = 0, c = 0, d = 0] = of;
      const prefixes = [
        [0, 0, 0, 0, 0, 0xffff],
        [0x64, 0xff9b, 0, 0, 0, 0],
      ];
      const seen = prefixes.flatMap((prefix) => spellings([...prefix, a * 256 + b, c * 256 + d]));
      const bits = { ipv4, ipv6: 64 };
      const blocks = [of.join('.'), ...seen].map((address) => addressBlock(address, bits));
      expect(new Set(blocks).size).toBe(1);
    });
    fc.assert(property, runs(500));
  });
});
