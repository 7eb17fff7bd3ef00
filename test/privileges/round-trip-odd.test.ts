// The round trips of the random cases with odd numbers.
import { roundTrips } from './round-trip.ts';

roundTrips(1);
