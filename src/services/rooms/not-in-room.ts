import { forbidden } from '../../core/errors.js'

/** Rooms that do not exist and rooms that one is not in are told alike. */
export const notInRoom = (): Error => forbidden('You are not in this room')
