/**
 * Loaded into a broker process before the broker (`node --import`), which itself is the built one, untouched.
 * On SIGUSR2 it reads its orders: how far the clocks are off, and named pipes to block the disk with.
 */

import { close, open, readFileSync, writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

const RealDate = Date;
const realNow = performance.now.bind(performance);
let wallOffsetMs = Number(process.env.FAULTS_WALL_OFFSET_MS ?? 0);
let monotonicOffsetMs = 0;

class ShiftedDate extends RealDate {
  constructor(...fields) {
    if (fields.length === 0) super(RealDate.now() + wallOffsetMs);
    else super(...fields);
  }

  static now() {
    return RealDate.now() + wallOffsetMs;
  }
}
globalThis.Date = ShiftedDate;
performance.now = () => realNow() + monotonicOffsetMs;

process.on('SIGUSR2', () => {
  const file = process.env.FAULTS_ORDERS;
  const orders = JSON.parse(readFileSync(file, 'utf8'));
  wallOffsetMs = orders.wallOffsetMs ?? wallOffsetMs;
  monotonicOffsetMs = orders.monotonicOffsetMs ?? monotonicOffsetMs;
  // Every thread that does file operations waits until the other end is opened.
  for (const pipe of orders.block ?? []) {
    open(pipe, 'r', (_error, descriptor) => descriptor && close(descriptor, () => {}));
  }
  writeFileSync(`${file}.done`, String(orders.number));
});
