import { installCrashReporter } from '@minimeet/crash-reporter';

import { startAnalytics } from './react/features/analytics/functions';
import { loadTexts } from './react/features/base/i18n/functions';
import { showLogin } from './react/features/login';

installCrashReporter(window);
startAnalytics();
loadTexts().then(() => showLogin());
