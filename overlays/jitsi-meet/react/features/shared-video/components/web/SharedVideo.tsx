/**
 * The hardener's shared video: there is none.
 *
 * @returns {null} Nothing to show.
 */
export default function SharedVideo() {
    return null;
}
