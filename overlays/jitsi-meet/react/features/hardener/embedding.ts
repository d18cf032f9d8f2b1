import { PostMessageTransportBackend } from '@jitsi/js-utils/transport';

/**
 * Returns the origins whose pages may embed us and use the IFrame API: our own, those that config.js names in
 * `embeddingAllowedOrigins`, and those that the web server lets embed us, which it writes into index.html. That key is
 * not on the list of what a link may set.
 *
 * @returns {string[]}
 */
function allowedOrigins(): string[] {
    const configured = (window as any).config?.embeddingAllowedOrigins;

    const served = document.querySelector<HTMLMetaElement>('head > meta[name="hardener-embedders"]')?.content ?? '';

    return [
        window.location.origin,
        ...Array.isArray(configured) ? configured : [],
        ...served.split(' ').filter(word => word.startsWith('http'))
    ];
}

/**
 * Returns whether config.js lets a page of another origin embed the meeting.
 *
 * @returns {boolean}
 */
export function mayBeEmbedded(): boolean {
    return allowedOrigins().length > 1;
}

/**
 * Returns the origin of the page that embeds us, where the browser says so.
 *
 * @returns {string|undefined}
 */
function embedderOrigin(): string | undefined {
    const { ancestorOrigins } = window.location as any;

    if (ancestorOrigins) {
        return ancestorOrigins[0];
    }

    try {
        return new URL(document.referrer).origin;
    } catch {
        return undefined;
    }
}

/**
 * Returns the channel to the page that embeds us. Upstream speaks with any page that opened or embeds ours, without checking
 * its origin: names, chat and logs go there, and commands come from there. Here it is only the embedding page, never an
 * opener; every message is addressed to an allowed origin, and those from elsewhere are not read.
 *
 * @param {Object} postisOptions - Upstream's options for the channel.
 * @returns {Object|undefined} The channel, or undefined where there is no such page.
 */
export function createEmbedderBackend(postisOptions: Object): PostMessageTransportBackend | undefined {
    const { parent } = window;
    const origins = allowedOrigins();
    const embedder = embedderOrigin();

    if (parent === window || (embedder && !origins.includes(embedder))) {
        return undefined;
    }

    const listeners = new Map<EventListener, EventListener>();

    return new PostMessageTransportBackend({
        postisOptions: {
            ...postisOptions,
            window: {
                postMessage: (message: string) => origins.forEach(origin => parent.postMessage(message, origin))
            },
            windowForEventListening: {
                addEventListener(type: string, listener: EventListener) {
                    const guarded = (event: Event) => {
                        const { origin, source } = event as MessageEvent;

                        source === parent && origins.includes(origin) && listener(event);
                    };

                    listeners.set(listener, guarded);
                    window.addEventListener(type, guarded);
                },
                removeEventListener(type: string, listener: EventListener) {
                    const guarded = listeners.get(listener);

                    guarded && window.removeEventListener(type, guarded);
                }
            }
        } as any
    });
}
