/*
 * hardener: takes the place of @giphy/react-components, which is left out of the bundle.
 */

/**
 * Renders an empty grid.
 *
 * @returns {null} Nothing to show.
 */
export function Grid() {
    return null;
}
