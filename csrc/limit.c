/* limit: to come */
#include "farside.h"

void far_open_limit(lua_State *L) {
  (void)L;
}
