/* signal: to come */
#include "farside.h"

void far_open_signal(lua_State *L) {
  (void)L;
}
