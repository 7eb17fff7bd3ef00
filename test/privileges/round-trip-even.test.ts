// The round trips of the random cases with even numbers.
import { roundTrips } from './round-trip.ts';

roundTrips(0);
