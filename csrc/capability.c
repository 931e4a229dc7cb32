/* capability: to come */
#include "farside.h"

void far_open_capability(lua_State *L) {
  (void)L;
}
