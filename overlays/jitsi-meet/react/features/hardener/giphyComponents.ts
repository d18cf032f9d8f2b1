/*
 * hardener: stands in for @giphy/react-components, which is left out of the bundle.
 */

/**
 * An empty grid.
 *
 * @returns {null} Nothing to show.
 */
export function Grid() {
    return null;
}
