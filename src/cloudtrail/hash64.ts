/**
 * A number of 64 bits, in two halves, that two texts have in common by chance only (as MurmurHash mixes them). It keeps out nobody
 * who looks for such texts: for names that others do not choose.
 */
export function hash64(text: string): readonly [high: number, low: number] {
  let [high, low] = [0x9e3779b9, 0x85ebca6b];
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 0xcc9e2d51);
    high = (high << 15) | (high >>> 17);
    low = Math.imul(low ^ unit, 0x1b873593);
    low = (low << 13) | (low >>> 19);
  }
  high = mixed(high ^ (low >>> 3));
  low = mixed(low ^ high ^ text.length);
  return [high, low];
}

function mixed(value: number): number {
  let mix = value ^ (value >>> 16);
  mix = Math.imul(mix, 0x85ebca6b);
  mix ^= mix >>> 13;
  mix = Math.imul(mix, 0xc2b2ae35);
  return (mix ^ (mix >>> 16)) >>> 0;
}
