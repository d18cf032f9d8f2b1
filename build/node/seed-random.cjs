/*
 * node -r seed-random.cjs node_modules/.bin/sass ...
 * One of upstream's style sheets calls Sass's math.random(), so that each build would give another style sheet.
 * Replaces Math.random by a generator with a fixed start (mulberry32). For build tools only: it is not random.
 */
let state = 0x6a697473;

Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);

    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);

    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000;
};
